"""The promise of the feed: whoever tails it misses nothing, whatever the concurrency of the writers."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from lbaas.compiler.snapshot import VipRow
from lbaas.persistence import feed, served
from lbaas.persistence.database import Database
from lbaas.persistence.hot import Statement
from lbaas.persistence.models import Change
from lbaas.persistence.notices import CHANNEL, NOTIFY
from lbaas.persistence.served import load_vips
from lbaas.services import books
from lbaas.services.bells import Bells
from lbaas.services.books import Subject
from lbaas.services.runtime import Runtime
from lbaas.services.states import topic_of

pytestmark = pytest.mark.anyio

CLUSTER = UUID(int=7)
WRITERS, COMMITS = 12, 40


async def write(database: Database, pause_s: float = 0) -> UUID:
    """One committed change; the transaction has its id for *pause_s* before it commits."""
    subject = uuid4()
    async with database.session() as session:
        await feed.note_change(session, "vip", subject, [CLUSTER])
        await asyncio.sleep(pause_s)
        await session.commit()
    return subject


@dataclass
class Tail:
    """A reader that keeps a cursor and reads only below the horizon."""

    cursor: tuple[int, int] = (-1, -1)
    seen: list[UUID] = field(default_factory=list)

    async def read(self, database: Database) -> None:
        revision, seq = self.cursor
        query = select(Change).where(
            (Change.revision > revision) | ((Change.revision == revision) & (Change.seq > seq)),
            Change.revision < feed.HORIZON_COLUMN,
        )
        async with database.session() as session:
            found = await session.scalars(query.order_by(Change.revision, Change.seq))
            for change in found:
                self.cursor = change.revision, change.seq
                self.seen.append(change.object_id)


async def test_a_tailing_reader_sees_every_change_once(database: Database) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    tail = Tail()

    async def writer() -> list[UUID]:
        return [await write(database, dice.choice((0, 0, 0.001, 0.01))) for _ in range(COMMITS)]

    writers = asyncio.gather(*(writer() for _ in range(WRITERS)))
    while not writers.done():
        await tail.read(database)
    await tail.read(database)
    written = [subject for subjects in await writers for subject in subjects]

    assert len(tail.seen) == len(written) == WRITERS * COMMITS
    assert set(tail.seen) == set(written)


async def test_a_revision_never_grows_a_change_after_it_was_seen(database: Database) -> None:
    """The law that states are built on: all changes up to the revision of a snapshot are in it."""
    seen: dict[int, set[UUID]] = {}

    async def look() -> None:
        async with database.snapshot() as at:
            revision = await feed.cluster_revision(at, CLUSTER)
            rows = await at.fetch("SELECT object_id FROM change WHERE revision <= $1", revision)
            seen.setdefault(revision, {of for (of,) in rows})

    async def writer(number: int) -> None:
        for step in range(COMMITS):
            await write(database, 0.005 if (number + step) % 3 else 0)

    writers = asyncio.gather(*(writer(number) for number in range(WRITERS)))
    while not writers.done():
        await look()
    await writers

    async with database.session() as session:
        rows = list(await session.scalars(select(Change)))
    assert len(seen) > 10
    for revision, objects in seen.items():
        assert objects == {row.object_id for row in rows if row.revision <= revision}


async def test_an_open_writer_holds_the_horizon_back_and_no_longer(database: Database) -> None:
    async with database.session() as slow:
        await feed.note_change(slow, "vip", uuid4(), [CLUSTER])
        await write(database)
        assert await newest(database) == 0
        await slow.commit()
        own = (await slow.scalars(select(Change.revision))).all()
        assert await newest(database) == max(own)


async def newest(database: Database) -> int:
    async with database.snapshot() as at:
        return await feed.cluster_revision(at, CLUSTER)


async def test_a_write_that_goes_on_for_too_long_is_ended_and_holds_nothing_back(
    database: Database,
) -> None:
    async with database.session() as endless, database.session() as other:
        await feed.note_change(endless, "vip", uuid4(), [CLUSTER])
        assert await feed.end_overlong(other, timedelta(hours=1)) == 0
        assert await feed.end_overlong(other, timedelta(0)) == 1
        await other.rollback()
        with pytest.raises(DBAPIError):
            await endless.commit()
        await write(database)
        assert await newest(database) > 0


async def make_cluster(database: Database) -> UUID:
    cluster = uuid4()
    async with database.session() as session:
        await session.execute(
            text(
                "INSERT INTO cluster (id, name, as_number, mark_first, mark_last) "
                "VALUES (:id, :name, 65001, 1, 9)"
            ),
            {"id": cluster, "name": cluster.hex},
        )
        await feed.note_change(session, "cluster", cluster, [cluster])
        await session.commit()
    return cluster


@pytest.fixture
async def runtime(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A process's shared parts, hearing, and without the safety look: what it finds, a notice told it."""
    monkeypatch.setattr("lbaas.services.runtime.SAFETY_LOOK_S", 3600)
    running = Runtime(database, Bells())
    async with running.running():
        while not running.listener.connected:  # noqa: ASYNC110 - the test's own patience
            await asyncio.sleep(0.01)
        yield running


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_change_hidden_by_an_open_writer_is_served_once_that_ends(
    database: Database, runtime: Runtime
) -> None:
    """The notice comes while the horizon still hides its change: the waiter must not go back to sleep."""
    cluster = await make_cluster(database)
    subject = Subject("cluster", cluster)
    first = await runtime.states.newer(subject, None, soon(5))
    assert first is not None
    async with database.session() as slow:
        await feed.note_change(slow, "other", uuid4(), [uuid4()])
        revision = await change(database, cluster)
        waiter = asyncio.create_task(runtime.states.newer(subject, first.revision, soon(10)))
        await asyncio.sleep(0.1)
        runtime.states.changed(topic_of(subject), revision)
        await asyncio.sleep(0.2)
        assert not waiter.done()
        await slow.commit()
    second = await waiter

    assert second is not None
    assert second.revision == revision


async def test_a_hundred_waiters_share_one_body(database: Database, runtime: Runtime) -> None:
    cluster = await make_cluster(database)
    subject = Subject("cluster", cluster)
    first = await runtime.states.newer(subject, None, soon(5))
    assert first is not None
    waiters = [
        asyncio.create_task(runtime.states.newer(subject, first.revision, soon(10)))
        for _ in range(100)
    ]
    await asyncio.sleep(0.1)
    revision = await change(database, cluster)
    runtime.states.changed(topic_of(subject), revision)
    served = [state for state in await asyncio.gather(*waiters) if state is not None]

    assert len(served) == 100
    assert {id(state.body) for state in served} == {id(served[0].body)}
    assert served[0].revision == revision


async def fill(database: Database, cluster: UUID, vips: int) -> None:
    """The cluster has so many VIPs without listeners."""
    statements = (
        "INSERT INTO tenant (id, name, backend_prefixes) VALUES (:tenant, 't', '{}')",
        (
            "INSERT INTO address_pool (id, cluster_id, name, prefix, reserved) "
            "VALUES (:pool, :cluster, 'p', '198.18.0.0/15', '{}')"
        ),
        (
            "INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address, labels) "
            "SELECT gen_random_uuid(), :tenant, :cluster, :pool, 'v' || n, inet '198.18.0.0' + n, '{}' "
            "FROM generate_series(1, :vips) n"
        ),
    )
    given = {"cluster": cluster, "tenant": uuid4(), "pool": uuid4(), "vips": vips}
    async with database.session() as session, session.begin():
        for statement in statements:
            await session.execute(text(statement), given)


async def test_hosts_that_come_one_after_the_other_are_all_answered(
    database: Database, runtime: Runtime
) -> None:
    """Each comes at another moment of the look that the one before has started."""
    hosts = [uuid4() for _ in range(40)]
    made = text("INSERT INTO backend_host (id, name, addresses) VALUES (:id, :name, '{}')")
    async with database.session() as session, session.begin():
        for host in hosts:
            await session.execute(made, {"id": host, "name": host.hex})
    polls = []
    for host in hosts:
        poll = runtime.states.newer(Subject("host", host), None, soon(30))
        polls.append(asyncio.create_task(poll))
        await asyncio.sleep(0.002)
    answers = await asyncio.gather(*polls)

    assert [
        answer is not None and str(host) in answer.body.decode()
        for host, answer in zip(hosts, answers, strict=True)
    ] == [True] * len(hosts)


async def test_while_a_large_state_is_compiled_other_polls_are_answered(
    database: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = [await make_cluster(database) for _ in range(2)]
    await fill(database, large, vips=1000)
    subject = Subject("cluster", small)
    first = await runtime.states.newer(subject, None, soon(5))
    assert first is not None
    answered = 0
    batches: list[int] = []

    async def reading(
        at: asyncpg.Connection, cluster: UUID, vips: Sequence[UUID]
    ) -> Iterator[VipRow]:
        batches.append(len(vips))
        before = answered
        while answered == before:  # noqa: ASYNC110 - what is awaited is the other poll, not us
            await asyncio.sleep(0)
        return await load_vips(at, cluster, vips)

    monkeypatch.setattr(served, "load_vips", reading)
    loading = asyncio.create_task(runtime.states.newer(Subject("cluster", large), None, soon(60)))
    while not loading.done():
        assert await runtime.states.newer(subject, first.revision, soon(0)) is None
        answered += 1

    assert await loading is not None
    assert batches == [books.BATCH] * (1000 // books.BATCH)


async def test_a_lost_listen_connection_comes_back_and_resyncs(
    database: Database, runtime: Runtime
) -> None:
    cluster = await make_cluster(database)
    subject = Subject("cluster", cluster)
    first = await runtime.states.newer(subject, None, soon(5))
    assert first is not None
    waiter = asyncio.create_task(runtime.states.newer(subject, first.revision, soon(20)))
    async with database.session() as session:
        ended = await session.scalars(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database() AND query ~ 'LISTEN|SELECT 1'"
            )
        )
        assert list(ended)
    await change(database, cluster)  # nobody sends a notice of it
    served = await waiter

    assert served is not None
    assert served.revision > first.revision


async def test_who_has_a_notices_connection_next_still_waits_for_the_disk(
    database: Database,
) -> None:
    asked = Statement("SELECT pg_backend_pid(), current_setting('synchronous_commit')")
    before = await database.hot.row(asked)
    await database.hot.rows(NOTIFY, channel=CHANNEL, payloads='["change x 1"]')
    after = await database.hot.row(asked)

    assert after is not None
    assert tuple(after) == (before and before[0], "on")


async def change(database: Database, cluster: UUID) -> int:
    """The revision of a committed change of the cluster that nobody was told of."""
    async with database.session() as session:
        await feed.note_change(session, "cluster", cluster, [cluster])
        revision = await feed.current_transaction(session)
        await session.commit()
    assert revision is not None
    return revision
