-- One cluster with 10,000 VIPs, each with a listener and a pool of 4 members.
INSERT INTO tenant (id, name, backend_prefixes) VALUES ('00000000-0000-0000-0000-000000000003', 't', '{10.0.0.0/8}');
INSERT INTO cluster (id, name, as_number, mark_first, mark_last) VALUES ('00000000-0000-0000-0000-000000000001', 'c', 65001, 1, 100000);
INSERT INTO node (id, cluster_id, name, addresses, admin_state)
    VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'lb', '{10.0.10.1}', 'active');
INSERT INTO address_pool (id, cluster_id, name, prefix, reserved)
    VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001', 'p', '198.18.0.0/15', '{}');
CREATE TEMP TABLE n AS SELECT n, gen_random_uuid() vip, gen_random_uuid() pool, gen_random_uuid() listener
    FROM generate_series(1, 10000) n;
INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address, labels)
    SELECT vip, '00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000004', 'v' || n, inet '198.18.0.0' + n, '{}' FROM n;
INSERT INTO pool (id, tenant_id, name, scheduler, forwarding)
    SELECT pool, '00000000-0000-0000-0000-000000000003', 'p' || n, 'mh', 'tunnel' FROM n;
INSERT INTO listener (id, tenant_id, vip_id, name, protocol, ports, pool_id)
    SELECT listener, '00000000-0000-0000-0000-000000000003', vip, 'l', 'tcp', '[{"first": 80, "last": 80}]', pool FROM n;
INSERT INTO mark (cluster_id, mark, listener_id) SELECT '00000000-0000-0000-0000-000000000001', n, listener FROM n;
INSERT INTO member (id, tenant_id, pool_id, address, weight, admin_state)
    SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000003', pool, inet '10.0.0.0' + (n * 4 + m), 1, 'active'
    FROM n, generate_series(1, 4) m;
INSERT INTO change (cluster_id, kind, object_id) VALUES ('00000000-0000-0000-0000-000000000001', 'cluster', '00000000-0000-0000-0000-000000000001');
ANALYZE;
