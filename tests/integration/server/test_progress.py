"""Which VIPs wait for a backend host: however far behind hosts are, the same as looking at each VIP."""

import random
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import select

from lbaas.persistence import progress
from lbaas.persistence.database import Database
from lbaas.persistence.models import Vip

pytestmark = pytest.mark.anyio

VIPS, HOSTS, CHANGES = 12, 8, 30
TENANTS = (UUID(int=3), UUID(int=4))

SITE = """
    INSERT INTO tenant (id, name, backend_prefixes) VALUES
        ('00000000-0000-0000-0000-000000000003', 'one', '{10.0.0.0/8}'),
        ('00000000-0000-0000-0000-000000000004', 'other', '{10.0.0.0/8}');
    INSERT INTO cluster (id, name, as_number, mark_first, mark_last)
        VALUES (gen_random_uuid(), 'c', 65001, 1, 1000);
    INSERT INTO address_pool (id, cluster_id, name, prefix, reserved)
        SELECT gen_random_uuid(), id, 'p', '198.18.0.0/15', '{}' FROM cluster;
    INSERT INTO node (id, cluster_id, name, addresses, admin_state, applied_revision)
        SELECT gen_random_uuid(), id, 'lb', '{10.0.10.1}', 'active', 1000000000000000 FROM cluster;
"""
MAKE_VIP = """
    INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address, labels)
    SELECT $1, $2, cluster_id, id, $1::uuid::text, inet '198.18.0.0' + $3::int, '{}' FROM address_pool
"""
MAKE_LISTENER = """
    WITH made AS (
        INSERT INTO pool (id, tenant_id, name, scheduler, forwarding)
        VALUES ($1, $2, $1::uuid::text, 'mh', 'tunnel')
    ), listening AS (
        INSERT INTO listener (id, tenant_id, vip_id, dual_vip_id, name, protocol, ports, pool_id)
        VALUES ($1, $2, $3, $4, $1::uuid::text, 'tcp', '[]', $1)
    )
    INSERT INTO member (id, tenant_id, pool_id, address, weight, admin_state)
    SELECT gen_random_uuid(), $2, $1, inet '10.0.0.0' + host, 1, 'active' FROM unnest($5::int[]) AS host
"""
MAKE_HOST = """
    INSERT INTO backend_host (id, name, addresses, applied_revision, failures)
    VALUES (gen_random_uuid(), gen_random_uuid()::text, ARRAY[inet '10.0.0.0' + $1::int], $2, $3::jsonb)
"""
CHANGE = """
    INSERT INTO change (cluster_id, kind, object_id) SELECT id, $1, $2 FROM cluster RETURNING revision
"""
EACH = """
    SELECT vip.id FROM vip
    JOIN listener ON vip.id IN (listener.vip_id, listener.dual_vip_id)
    JOIN member USING (pool_id)
    JOIN backend_host ON member.address = ANY (backend_host.addresses)
    JOIN change ON change.object_id IN (vip.id, listener.pool_id)
    WHERE change.revision > CASE WHEN failures = '[]' THEN coalesce(applied_revision, -1) ELSE -1 END
"""


async def fill(connection: asyncpg.Connection, dice: random.Random) -> None:
    """VIPs of two tenants, some with a listener in common, on hosts that are anywhere behind."""
    await connection.execute(SITE)
    vips = [(uuid4(), TENANTS[number % 2]) for number in range(VIPS)]
    pools = []
    for number, (vip, tenant) in enumerate(vips):
        await connection.execute(MAKE_VIP, vip, tenant, number)
    for number, (vip, tenant) in enumerate(vips):
        dual = vips[(number + 2) % VIPS][0] if dice.random() < 0.3 else None
        members = dice.sample(range(HOSTS), 2)
        pools.append(uuid4())
        await connection.execute(MAKE_LISTENER, pools[-1], tenant, vip, dual, members)
    subjects = [("vip", vip) for vip, _ in vips] + [("pool", pool) for pool in pools]
    revisions = [await connection.fetchval(CHANGE, *dice.choice(subjects)) for _ in range(CHANGES)]
    for host in range(HOSTS):
        applied = dice.choice([None, 0, *revisions, *revisions[-5:] * 6])
        failures = dice.choice(["[]"] * 9 + ['[{"subsystem": "link"}]'])
        await connection.execute(MAKE_HOST, host, applied, failures)


async def pending(database: Database, owner: UUID | None) -> set[UUID]:
    query = select(Vip.id).where(progress.is_pending(owner))
    if owner is not None:
        query = query.where(Vip.tenant_id == owner)
    async with database.session() as session:
        return set(await session.scalars(query))


@pytest.mark.parametrize("seed", range(3))
async def test_however_far_behind_hosts_are_the_same_vips_are_pending(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    connection = await database.connect()
    try:
        await fill(connection, random.Random(seed))
        behind = {vip for (vip,) in await connection.fetch(EACH)}
        found = await connection.fetch("SELECT id, tenant_id FROM vip")
    finally:
        await connection.close()

    for recent in (1, 5, CHANGES - 1, 1_000):
        monkeypatch.setattr(progress, "RECENT", recent)
        assert await pending(database, None) == behind
        for tenant in TENANTS:
            assert await pending(database, tenant) == {
                vip for vip, owner in found if owner == tenant and vip in behind
            }
