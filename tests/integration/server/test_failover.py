"""The primary dies under load, its synchronous standby takes over, and nothing that was answered is lost.

Again and again with one server process: the dead one's directory becomes the next standby's. LBAAS_FAILOVERS says how
often, LBAAS_FAILOVER_SEED repeats a run.
"""

import asyncio
import os
import random
import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from lbaas.client.api import ApiClient
from lbaas.persistence import migrate
from lbaas.persistence.database import Database
from lbaas.persistence.own_postgres import own_postgres

from .conftest import Json, LiveServer, Site, dsn, listener, make_site, start_server
from .test_replica import copy
from .test_soak import Tail, caught_up, newest_book, out_of_order, stop

pytestmark = pytest.mark.anyio

FAILOVERS = int(os.environ.get("LBAAS_FAILOVERS", "2"))
WRITERS, AGENTS = 8, 2
PATIENCE_S = 60
TAKEN_TWICE = """
    SELECT (SELECT count(*) FROM (SELECT FROM vip GROUP BY cluster_id, address HAVING count(*) > 1) a)
         + (SELECT count(*) FROM (SELECT FROM mark GROUP BY cluster_id, mark HAVING count(*) > 1) m)
         + (SELECT count(*) FROM listener WHERE NOT EXISTS (
               SELECT FROM mark WHERE listener_id = listener.id))
"""


@dataclass
class Instance:
    """One of the two instances of Postgres, in a directory of its own."""

    data_dir: Path
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        self._running = AsyncExitStack()
        await self._running.enter_async_context(own_postgres(self.data_dir))

    async def stop(self) -> None:
        await self._running.aclose()

    async def ask(self, query: str) -> object:
        connection = await Database(dsn(self.data_dir), wanted="any").connect()
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def die(self) -> None:
        """All its processes at once, as if the machine had lost its power."""
        postmaster = int((self.data_dir / "postgres/postmaster.pid").read_text().split()[0])
        for process in (postmaster, *children(postmaster)):
            os.kill(process, signal.SIGKILL)
        await self.stop()

    async def follow(self, primary: "Instance") -> None:
        """It is *primary*'s synchronous standby."""
        shutil.rmtree(self.data_dir / "postgres", ignore_errors=True)
        await asyncio.to_thread(copy, primary.data_dir, self.data_dir)
        await self.start()
        await primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await primary.ask("SELECT pg_reload_conf()")
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        async with asyncio.timeout(PATIENCE_S):
            while await primary.ask(synchronous) != 1:  # noqa: ASYNC110 - patience
                await asyncio.sleep(0.02)

    async def promote(self) -> None:
        await self.ask("SELECT pg_promote()")


def children(parent: int) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ]


@dataclass
class Writer:
    """Makes VIPs, each with one key until it is answered; *made* are the answers."""

    made: list[Json] = field(default_factory=list)
    repeated: int = 0
    ending: bool = False
    refused: str = ""

    async def run(self, url: str, token: str, site: Site) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            while not self.ending:
                name = f"vip-{uuid4().hex}"
                body = {"name": name, "address_pool_id": site.v6["id"]}
                body["listeners"] = [listener("http", 80, "10.0.20.11")]
                self.made.append(await self._insist(http, f"{url}/v1/vips", body))

    async def _insist(self, http: httpx.AsyncClient, url: str, body: Json) -> Json:
        key = {"Idempotency-Key": uuid4().hex}
        while True:
            try:
                answer = await http.post(url, json=body, headers=key)
            except httpx.TransportError:
                continue
            if answer.status_code == 201:
                return dict(answer.json())
            if answer.status_code != 503 and "retry-after" not in answer.headers:
                # Neither away nor still at it: an answer that an earlier try made wrong.
                self.refused = f"{answer.status_code} {answer.text}"
                raise AssertionError(self.refused)
            self.repeated += 1
            await asyncio.sleep(0.05)


async def answered(writers: list[Writer], more: int) -> float:
    """The loop's time at which each of them has been answered so many times more."""
    goals = [(writer, len(writer.made) + more) for writer in writers]
    async with asyncio.timeout(PATIENCE_S):
        while any(len(writer.made) < goal for writer, goal in goals):
            assert not any(writer.refused for writer in writers), [w.refused for w in writers]
            await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time()


async def first_answer(writers: list[Writer]) -> float:
    """The loop's time at which any of them is answered."""
    before = sum(len(writer.made) for writer in writers)
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(writer.made) for writer in writers) == before:  # noqa: ASYNC110 - patience
            await asyncio.sleep(0.005)
    return asyncio.get_running_loop().time()


@pytest.mark.timeout(FAILOVERS * 60 + 240)
async def test_nothing_that_was_answered_is_lost_or_done_twice_when_the_primary_dies(
    short_dir: Callable[[], Path],
) -> None:
    seed = int(os.environ.get("LBAAS_FAILOVER_SEED") or random.randrange(1 << 30))
    print("seed", seed)
    dice = random.Random(seed)
    primary, standby = Instance(short_dir()), Instance(short_dir())
    await primary.start()
    database = Database(dsn(primary.data_dir))
    await migrate.to_head(database)
    await database.close()
    either = f"{dsn(primary.data_dir)},{standby.data_dir / 'run'}"
    server = await asyncio.to_thread(
        lambda: start_server(short_dir(), LBAAS_DATABASE_URL=either, LBAAS_RATE_LIMIT="none")
    )
    writers, outages = [Writer() for _ in range(WRITERS)], []
    try:
        with ApiClient(server.url, server.admin_token) as admin:
            site = await asyncio.to_thread(make_site, server, admin)
            bearer = {"tenant_id": site.tenant["id"], "name": "t", "role": "member"}
            member = admin.post("/v1/tokens", bearer)["token"]
            node = {"node_id": site.nodes[0]["id"], "name": "t", "role": "node"}
            tails = [Tail(admin.post("/v1/tokens", node)["token"]) for _ in range(AGENTS)]
        tailing = [asyncio.create_task(tail.run([server.url], dice)) for tail in tails]
        writing = [asyncio.create_task(each.run(server.url, member, site)) for each in writers]
        for _ in range(FAILOVERS):
            await standby.follow(primary)
            await answered(writers, 3)
            await asyncio.sleep(dice.random() / 2)  # anywhere within a write
            await primary.die()
            await standby.promote()
            promoted = asyncio.get_running_loop().time()
            outages.append(await first_answer(writers) - promoted)
            await answered(writers, 1)
            primary, standby = standby, primary
        for writer in writers:
            writer.ending = True
        await asyncio.gather(*writing)
        book = await newest_book(dsn(primary.data_dir), site.cluster["id"])
        await caught_up(tails, book.revision)
        await stop(tailing)
        there = await primary.ask("SELECT array_agg(id::text) FROM vip")
        twice = await primary.ask(TAKEN_TWICE)
    finally:
        assert await asyncio.to_thread(server.stop) == 0
        await primary.stop()

    made = [vip["id"] for writer in writers for vip in writer.made]
    print(
        f"{FAILOVERS} failovers, {len(made)} VIPs made, {sum(w.repeated for w in writers)} repetitions, "
        f"first answer {max(outages):.2f} s after the promotion at the latest"
    )
    assert isinstance(there, list)
    assert sorted(made) == sorted(there)
    assert twice == 0
    assert sum(out_of_order(tail) for tail in tails) == 0
    assert {tail.held.digest for tail in tails} == {book.entries.digest}


async def test_a_server_that_is_silent_is_passed_over(
    server: LiveServer, short_dir: Callable[[], Path]
) -> None:
    silent = short_dir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(silent / ".s.PGSQL.5432"))
        listening.listen()
        database = Database(f"postgresql://lbaas@/postgres?host={silent},{server.data_dir / 'run'}")
        connections = [await database.connect() for _ in range(2)]
        assert [await each.fetchval("SELECT 1") for each in connections] == [1, 1]
        for each in connections:
            await each.close()
        await database.close()
