"""The agents' states from a streaming replica of the database: late perhaps, never wrong."""

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbaas.client.api import ApiClient
from lbaas.errors import NotFound
from lbaas.persistence import migrate, own_postgres
from lbaas.persistence.database import Database
from lbaas.persistence.postgres_programs import find_programs
from lbaas.services.answers import Answer
from lbaas.services.books import Subject
from lbaas.services.runtime import Runtime

from .conftest import dsn, make_site, start_server
from .test_feed import change, make_cluster, soon
from .test_soak import (
    Tail,
    Writer,
    caught_up,
    make_writer,
    missed,
    newest_book,
    out_of_order,
    stop,
)

pytestmark = pytest.mark.anyio

WRITERS, AGENTS, PAUSES = 8, 4, 3
REPLAYED_S = 30
PAUSE_STATE = "SELECT pg_get_wal_replay_pause_state()"


@dataclass
class Pair:
    """A primary and its replica, each in a directory of its own."""

    primary: Path
    replica: Path

    async def ask_replica(self, query: str) -> object:
        connection = await Database(dsn(self.replica), wanted="any").connect()
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def pause(self) -> None:
        """From here on the replica shows the past."""
        await self.ask_replica("SELECT pg_wal_replay_pause()")
        async with asyncio.timeout(REPLAYED_S):
            while await self.ask_replica(PAUSE_STATE) != "paused":  # noqa: ASYNC110 - patience
                await asyncio.sleep(0.01)

    async def resume(self) -> None:
        await self.ask_replica("SELECT pg_wal_replay_resume()")


def copy(primary: Path, replica: Path) -> None:
    """*replica* holds a copy of the running *primary* that will follow it."""
    account = own_postgres._account()
    account.own(replica)
    program = find_programs().directory / "pg_basebackup"
    subprocess.run(
        [
            program,
            "-D",
            replica / "postgres",
            "-d",
            dsn(primary),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ],
        check=True,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
    )


@pytest.fixture
async def pair(short_dir: Callable[[], Path]) -> AsyncIterator[Pair]:
    """Two instances of Postgres at head, the second following the first."""
    primary, replica = short_dir(), short_dir()
    async with own_postgres.own_postgres(primary) as url:
        database = Database(url)
        await migrate.to_head(database)
        await database.close()
        await asyncio.to_thread(copy, primary, replica)
        async with own_postgres.own_postgres(replica):
            yield Pair(primary, replica)


@asynccontextmanager
async def running(pair: Pair) -> AsyncIterator[Runtime]:
    database, replica = Database(dsn(pair.primary)), Database(dsn(pair.replica), wanted="any")
    runtime = Runtime(database, replica=replica)
    try:
        async with runtime.running():
            while not runtime.listener.connected:  # noqa: ASYNC110 - the test's own patience
                await asyncio.sleep(0.01)
            yield runtime
    finally:
        await database.close()
        await replica.close()


async def known(runtime: Runtime, subject: Subject) -> Answer:
    """The first state, once the replica has heard of the cluster."""
    async with asyncio.timeout(REPLAYED_S):
        while True:
            with suppress(NotFound):
                first = await runtime.states.newer(subject, None, soon(REPLAYED_S))
                assert first is not None
                return first
            await asyncio.sleep(0.01)


async def test_a_notice_that_is_ahead_of_the_replica_wakes_once_that_has_caught_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbaas.services.runtime.SAFETY_LOOK_S", 3600)
    async with running(pair) as runtime:
        subject = Subject("cluster", await make_cluster(runtime.database))
        first = await known(runtime, subject)
        await pair.pause()
        revision = await change(runtime.database, subject.id)
        waiter = asyncio.create_task(
            runtime.states.newer(subject, first.revision, soon(2 * REPLAYED_S))
        )
        runtime.states.changed(("change", str(subject.id)), revision)
        await asyncio.sleep(0.5)
        assert not waiter.done()
        await pair.resume()
        second = await waiter

    assert second is not None
    assert second.revision == revision


async def test_agents_of_a_replica_miss_nothing_also_when_it_stands_still(
    pair: Pair, short_dir: Callable[[], Path]
) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    server = await asyncio.to_thread(
        lambda: start_server(
            short_dir(),
            LBAAS_DATABASE_URL=dsn(pair.primary),
            LBAAS_AGENTS_DATABASE_URL=dsn(pair.replica),
        )
    )
    try:
        with ApiClient(server.url, server.admin_token) as admin:
            site = await asyncio.to_thread(make_site, server, admin)
            writers = [await asyncio.to_thread(make_writer, site, n) for n in range(WRITERS)]
            bearer = {"node_id": site.nodes[0]["id"], "name": "t", "role": "node"}
            tails = [Tail(admin.post("/v1/tokens", bearer)["token"]) for _ in range(AGENTS)]
        tailing = [asyncio.create_task(tail.run([server.url], dice)) for tail in tails]
        writing = [
            asyncio.create_task(writer.run([server.url], server.admin_token, dice, site))
            for writer in writers
        ]
        for _ in range(PAUSES):
            await pair.pause()
            await written(writers, 10)
            await pair.resume()
            await written(writers, 10)
        for writer in writers:
            writer.ending = True
        await asyncio.gather(*writing)
        book = await newest_book(dsn(pair.primary), site.cluster["id"])
        await caught_up(tails, book.revision)
        await stop(tailing)
    finally:
        assert await asyncio.to_thread(server.stop) == 0

    assert sum(missed(writer, tail) for writer in writers for tail in tails) == 0
    assert sum(out_of_order(tail) for tail in tails) == 0
    assert {tail.held.digest for tail in tails} == {book.entries.digest}


async def written(writers: list[Writer], more: int) -> None:
    """Each of them has written so many times more."""
    goals = [(writer, len(writer.written) + more) for writer in writers]
    async with asyncio.timeout(60):
        while any(len(writer.written) < goal for writer, goal in goals):  # noqa: ASYNC110 - patience
            await asyncio.sleep(0.05)
