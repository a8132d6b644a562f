"""The limit that writes are held against: one hand-written statement.

It writes what a POST of a VIP with a listener, a pool with a monitor and 4 members writes, and nothing that this reads.
"""

# $1 the address pool, $2 the cluster, $3 the tenant, $4 and $5 where to look for an address and a mark, $6 a name.
_CREATE = """
WITH taken AS (
  UPDATE free_extent SET lo = lo + 1 WHERE (space_id, hi) = (
    SELECT space_id, hi FROM free_extent WHERE space_id = $1 AND hi >= $4 ORDER BY hi LIMIT 1
    FOR UPDATE SKIP LOCKED) RETURNING lo - 1 AS number
), marked AS (
  UPDATE free_extent SET lo = lo + 1 WHERE (space_id, hi) = (
    SELECT space_id, hi FROM free_extent WHERE space_id = $2 AND hi >= $5 ORDER BY hi LIMIT 1
    FOR UPDATE SKIP LOCKED) RETURNING lo - 1 AS number
), v AS (
  INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address, labels)
  SELECT gen_random_uuid(), $3, $2, $1, $6, '0.0.0.0'::inet + number::bigint, '{}' FROM taken
  RETURNING id
), p AS (
  INSERT INTO pool (id, tenant_id, name, scheduler, forwarding, monitor)
  VALUES (gen_random_uuid(), $3, $6 || '-http', 'mh', 'tunnel', '{"kind": "tcp", "fall": 3, "rise": 2}')
  RETURNING id
), m AS (
  INSERT INTO member (id, tenant_id, pool_id, address, weight, admin_state)
  SELECT gen_random_uuid(), $3, p.id, '10.0.20.1'::inet + n, 1, 'active'
  FROM p, generate_series(0, 3) AS n RETURNING id
), l AS (
  INSERT INTO listener (id, tenant_id, vip_id, name, protocol, ports, pool_id)
  SELECT gen_random_uuid(), $3, v.id, 'http', 'tcp', '[{"last": 80, "first": 80}]', p.id FROM v, p
  RETURNING id
), k AS (
  INSERT INTO mark (cluster_id, mark, listener_id) SELECT $2, number, l.id FROM marked, l
), %s e AS (
  INSERT INTO event (id, tenant_id, actor, actor_name, role, action, kind, object_id, object_name,
                     after, request_id)
  SELECT gen_random_uuid(), $3, 'token', 'bench', 'member', 'create', kind, id, $6,
         '{"name": "some", "labels": {}, "weight": 1, "address": "10.0.20.1"}', 'request'
  FROM (SELECT 'vip' AS kind, id FROM v UNION ALL SELECT 'pool', id FROM p
        UNION ALL SELECT 'member', id FROM m UNION ALL SELECT 'listener', id FROM l) AS made
), s AS (
  INSERT INTO stored_answer (bearer, key_sha256, request_sha256, status, headers, body, sealed)
  VALUES ('bench', decode(md5($6), 'hex'), ''::bytea, 201, '{}', repeat('x', 900)::bytea, false)
)
SELECT id, pg_current_xact_id()::text::bigint AS revision FROM v
"""
_ON_THE_FEED = (
    "c AS (INSERT INTO change (cluster_id, kind, object_id) SELECT $2, 'vip', id FROM v),"
)
RAW = _CREATE % _ON_THE_FEED
RAW_WITHOUT_FEED = _CREATE % ""
