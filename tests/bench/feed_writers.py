"""What the feed costs its writers, and that whoever tails it misses nothing.

The same writes with and without the feed's rows and wake-ups, in short turns, and the median of what each pair of
turns says: so a machine that is busy with other things for a second spoils a pair, and not the figure. What is
written is a whole VIP (pool, listener, mark, four members, event) in one statement, the leanest write there is, so
that the feed's share shows at its largest.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from itertools import count
from statistics import median
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from lbaas.persistence import feed
from lbaas.persistence.database import Database
from lbaas.persistence.notices import Notice, Sender
from lbaas.services.work import CHANGE
from tests.bench.figures import Figures

WRITERS, PAIRS, WARM_UP, TURN_S = 8, 40, 4, 0.3
TAILED_WRITERS, TAILED_COMMITS = 16, 10_000
CLUSTER, TENANT, ADDRESS_POOL = UUID(int=1), UUID(int=3), UUID(int=4)

CREATE = """
    WITH pool AS (
        INSERT INTO pool (id, tenant_id, name, scheduler, forwarding)
        VALUES ($1, $5, $1::uuid::text, 'mh', 'tunnel')
    ), vip AS (
        INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address, labels)
        VALUES ($2, $5, $6, $7, $2::uuid::text, inet '198.18.0.0' + $4::bigint, '{}')
    ), listener AS (
        INSERT INTO listener (id, tenant_id, vip_id, name, protocol, ports, pool_id)
        VALUES ($3, $5, $2, 'l', 'tcp', '[{"first": 80, "last": 80}]', $1)
    ), mark AS (
        INSERT INTO mark (cluster_id, mark, listener_id) VALUES ($6, $4, $3)
    ), members AS (
        INSERT INTO member (id, tenant_id, pool_id, address, weight, admin_state)
        SELECT gen_random_uuid(), $5, $1, inet '10.0.0.0' + n, 1, 'active' FROM generate_series(1, 4) n
    )%s
    INSERT INTO event (
        id, tenant_id, actor, actor_name, role, action, kind, object_id, object_name, request_id
    ) VALUES (gen_random_uuid(), $5, 'a', 'a', 'member', 'create', 'vip', $2, 'v', '')
    RETURNING pg_current_xact_id()::text::bigint
"""
WITHOUT = CREATE % ""
WITH = CREATE % (
    ", change AS (INSERT INTO change (cluster_id, kind, object_id) VALUES ($6, 'vip', $2))"
)

BETWEEN = "SELECT object_id FROM change WHERE cluster_id = $1 AND revision > $2 AND revision <= $3"


async def writing(figures: Figures, database: Database, dsn: str) -> None:
    """The feed's cost and its losses, in a database with a cluster that nobody else writes to."""
    numbers = count(20_000)
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(TAILED_WRITERS):
            connections.append(await asyncpg.connect(dsn))
            stack.push_async_callback(connections[-1].close)
        sender = Sender(database)
        sending = asyncio.create_task(sender.run())
        try:
            await cost(figures, connections[:WRITERS], numbers, sender)
            await tail(figures, database, connections, numbers, sender)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def cost(
    figures: Figures, connections: list[asyncpg.Connection], numbers: Iterator[int], sender: Sender
) -> None:
    done: dict[str, list[int]] = {WITHOUT: [], WITH: []}
    for pair in range(WARM_UP + PAIRS):
        # Now this one first, now that one.
        for statement in (WITHOUT, WITH) if pair % 2 else (WITH, WITHOUT):
            until = time.monotonic() + TURN_S
            writers = (write_until(until, each, statement, numbers, sender) for each in connections)
            done[statement].append(sum(await asyncio.gather(*writers)))
    without, with_feed = (done[statement][WARM_UP:] for statement in (WITHOUT, WITH))
    figures.shown("feed.writes_without", median(without) / TURN_S, "1/s")
    figures.shown("feed.writes_with", median(with_feed) / TURN_S, "1/s")
    ratio = median(written / bare for written, bare in zip(with_feed, without, strict=True))
    figures.at_least("feed.writes_with_per_without", ratio, "ratio", 0.95)


async def write_until(
    until: float,
    connection: asyncpg.Connection,
    statement: str,
    numbers: Iterator[int],
    sender: Sender,
) -> int:
    written = 0
    while time.monotonic() < until:
        await write(connection, statement, numbers, sender)
        written += 1
    return written


async def write(
    connection: asyncpg.Connection, statement: str, numbers: Iterator[int], sender: Sender
) -> UUID:
    """The VIP that was made; whoever waits is told if it is on the feed."""
    pool, vip, listener = uuid7(), uuid7(), uuid7()
    revision = await connection.fetchval(
        statement, pool, vip, listener, next(numbers), TENANT, CLUSTER, ADDRESS_POOL
    )
    if statement is WITH:
        sender.send([Notice(CHANGE, str(CLUSTER), revision)])
    return UUID(str(vip))


async def tail(
    figures: Figures,
    database: Database,
    connections: list[asyncpg.Connection],
    numbers: Iterator[int],
    sender: Sender,
) -> None:
    """Commits from all sides, while one reader follows as a server does."""
    async with database.snapshot() as at:
        cursor, _ = await feed.changes_since(at, CLUSTER, 0)
    seen: set[UUID] = set()
    each = TAILED_COMMITS // len(connections)
    writers = asyncio.gather(*(write_some(each, c, numbers, sender) for c in connections))
    while not writers.done():
        cursor = await follow(database, cursor, seen)
    await follow(database, cursor, seen)
    written = set().union(*await writers)
    figures.shown("feed.tailed_commits", len(written), "commits")
    figures.at_most("feed.tail_missed", len(written - seen), "changes", 0)


async def write_some(
    commits: int, connection: asyncpg.Connection, numbers: Iterator[int], sender: Sender
) -> set[UUID]:
    return {await write(connection, WITH, numbers, sender) for _ in range(commits)}


async def follow(database: Database, cursor: int, seen: set[UUID]) -> int:
    """Only what lies below the horizon counts as seen: the cursor will not look there again."""
    async with database.snapshot() as at:
        revision, _ = await feed.changes_since(at, CLUSTER, cursor)
        found = await at.fetch(BETWEEN, CLUSTER, cursor, revision)
    seen.update(vip for (vip,) in found)
    return revision
