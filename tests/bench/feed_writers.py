"""What the feed costs its writers, and that whoever tails it misses nothing.

The same writes with and without the feed's rows and wake-ups, in short turns A B B A: what grows or slows down steadily
strikes both alike, and what else the machine does for a second spoils one block and not the median of all. How far such
a median can be trusted is shown by the same ratio of two turns that do not differ. What is written is what a POST of a
whole VIP writes, in one statement.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from operator import add
from statistics import median
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from lbaas.persistence import extents, feed
from lbaas.persistence.database import Database
from lbaas.persistence.extents import Span
from lbaas.persistence.notices import Notice, Sender
from lbaas.services.work import CHANGE
from tests.bench.figures import Figures
from tests.bench.processes import cpu_s
from tests.bench.raw_create import RAW, RAW_WITHOUT_FEED

WRITERS, BLOCKS, WARM_UP, TURN_S = 8, 60, 2, 0.15
TAILED_WRITERS, TAILED_COMMITS = 16, 10_000
CLUSTER, TENANT, ADDRESS_POOL = UUID(int=1), UUID(int=3), UUID(int=4)
# Far more than are taken, and none of those that feed.sql has given out.
ADDRESSES = Span(int(ip_address("100.64.0.0")), int(ip_address("100.127.255.255")))
MARKS = Span(0x1000_0000, 0x1FFF_FFFF)

LOG_BYTES = "SELECT pg_current_wal_insert_lsn() - '0/0'"
BETWEEN = "SELECT object_id FROM change WHERE cluster_id = $1 AND revision > $2 AND revision <= $3"


async def writing(figures: Figures, database: Database, dsn: str) -> None:
    """The feed's cost and its losses, in a database with a cluster that nobody else writes to."""
    await prepare(database)
    async with AsyncExitStack() as stack:
        writers = []
        sender = Sender(database)
        for _ in range(TAILED_WRITERS):
            connection = await asyncpg.connect(dsn)
            stack.push_async_callback(connection.close)
            writers.append(Writer(connection, sender))
        sending = asyncio.create_task(sender.run())
        try:
            await cost(figures, writers[:WRITERS])
            await tail(figures, database, writers)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def prepare(database: Database) -> None:
    """There are numbers to take, and neither a checkpoint nor a vacuum falls into the one turn and not the other."""
    async with database.session() as session:
        await extents.open_space(session, ADDRESS_POOL, [ADDRESSES])
        await extents.open_space(session, CLUSTER, [MARKS])
        await session.commit()
    connection = await database.connect()
    for setting in ("max_wal_size = '8GB'", "checkpoint_timeout = '1h'", "autovacuum = off"):
        await connection.execute(f"ALTER SYSTEM SET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("CHECKPOINT")
    await connection.close()


@dataclass(frozen=True)
class Writer:
    """One client, which writes as fast as it is answered."""

    connection: asyncpg.Connection
    sender: Sender

    async def write(self, *, on_feed: bool) -> UUID:
        """The VIP that was made; whoever waits is told if it is on the feed."""
        statement, made = RAW if on_feed else RAW_WITHOUT_FEED, None
        while made is None:  # where two met at one extent, the second finds nothing
            places = somewhere(ADDRESSES), somewhere(MARKS)
            name = uuid4().hex
            made = await self.connection.fetchrow(
                statement, ADDRESS_POOL, CLUSTER, TENANT, *places, name
            )
        if on_feed:
            self.sender.send([Notice(CHANGE, str(CLUSTER), made["revision"])])
        return UUID(str(made["id"]))

    async def write_until(self, until: float, *, on_feed: bool) -> int:
        """How many were written until then."""
        written = 0
        while time.monotonic() < until:
            await self.write(on_feed=on_feed)
            written += 1
        return written

    async def write_some(self, commits: int) -> set[UUID]:
        """So many VIPs, on the feed."""
        return {await self.write(on_feed=True) for _ in range(commits)}


def somewhere(span: Span) -> int:
    """In the first half: from there on something is free."""
    return span.first + uuid4().int % ((span.last - span.first) // 2)


async def cost(figures: Figures, writers: Sequence[Writer]) -> None:
    blocks = [await block(writers, mirrored=n % 2 == 1) for n in range(WARM_UP + BLOCKS)][WARM_UP:]
    without, on_feed = ([each[place] for each in blocks] for place in (0, 1))
    figures.shown("feed.writes_without", median(both(of).rate for of in without), "1/s")
    figures.shown("feed.writes_with", median(both(of).rate for of in on_feed), "1/s")
    ratio = median(both(of).rate / both(than).rate for than, of in blocks)
    figures.at_least("feed.writes_with_per_without", ratio, "ratio", 0.95)
    ratio = median(first.rate / second.rate for first, second in without)
    figures.shown("feed.writes_without_per_without", ratio, "ratio")
    for name, spent, unit, scale in PER_WRITE:
        one, other = (median(spent(both(of)) * scale for of in each) for each in (without, on_feed))
        figures.shown(f"feed.writes_{name}_without", one, unit)
        figures.shown(f"feed.writes_{name}_with", other, unit)
        figures.shown(f"feed.writes_{name}_with_per_without", other / one, "ratio")


class Spent(NamedTuple):
    """Of one turn or several: how many were written, in which time, with which CPU, and how much went to the log."""

    written: int
    time_s: float
    postgres_s: float
    client_s: float
    wal_bytes: int

    @property
    def rate(self) -> float:
        return self.written / self.time_s


# Of each write. CPU is what a busy machine can't spoil, where it does not slow down what is counted.
PER_WRITE: Sequence[tuple[str, Callable[[Spent], float], str, float]] = (
    ("cpu", lambda of: of.postgres_s / of.written, "us", 1e6),
    ("client_cpu", lambda of: of.client_s / of.written, "us", 1e6),
    ("wal", lambda of: of.wal_bytes / of.written, "bytes", 1),
)

Turns = tuple[Spent, Spent]


def both(turns: Turns) -> Spent:
    """Two turns as one."""
    return Spent(*map(add, *turns))


async def block(writers: Sequence[Writer], *, mirrored: bool) -> tuple[Turns, Turns]:
    """Four turns, A B B A, or *mirrored* B A A B: two without the feed, and two on it."""
    order = (True, False, False, True) if mirrored else (False, True, True, False)
    spent: dict[bool, list[Spent]] = {False: [], True: []}
    for on_feed in order:
        spent[on_feed].append(await turn(writers, on_feed=on_feed))
    (first, second), (third, fourth) = spent[False], spent[True]
    return (first, second), (third, fourth)


async def turn(writers: Sequence[Writer], *, on_feed: bool) -> Spent:
    logged, used, mine, begun = (
        await log_bytes(writers[0]),
        backends_s(writers),
        time.process_time(),
        time.monotonic(),
    )
    writing = (each.write_until(begun + TURN_S, on_feed=on_feed) for each in writers)
    written = sum(await asyncio.gather(*writing))
    return Spent(
        written,
        time.monotonic() - begun,
        backends_s(writers) - used,
        time.process_time() - mine,
        await log_bytes(writers[0]) - logged,
    )


async def log_bytes(writer: Writer) -> int:
    """How far Postgres's log has been written."""
    return int(await writer.connection.fetchval(LOG_BYTES))


def backends_s(writers: Sequence[Writer]) -> float:
    """CPU of the processes that serve them."""
    return sum(cpu_s(writer.connection.get_server_pid()) for writer in writers)


async def tail(figures: Figures, database: Database, writers: Sequence[Writer]) -> None:
    """Commits from all sides, while one reader follows as a server does."""
    async with database.snapshot() as at:
        cursor, _ = await feed.changes_since(at, CLUSTER, 0)
    seen: set[UUID] = set()
    each = TAILED_COMMITS // len(writers)
    writing = asyncio.gather(*(writer.write_some(each) for writer in writers))
    while not writing.done():
        cursor = await follow(database, cursor, seen)
    await follow(database, cursor, seen)
    written = set().union(*await writing)
    figures.shown("feed.tailed_commits", len(written), "commits")
    figures.at_most("feed.tail_missed", len(written - seen), "changes", 0)


async def follow(database: Database, cursor: int, seen: set[UUID]) -> int:
    """Only what lies below the horizon counts as seen: the cursor will not look there again."""
    async with database.snapshot() as at:
        revision, _ = await feed.changes_since(at, CLUSTER, cursor)
        found = await at.fetch(BETWEEN, CLUSTER, cursor, revision)
    seen.update(vip for (vip,) in found)
    return revision
