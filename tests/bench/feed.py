"""The feed from commit to agent: latency, waiting agents, deltas and whole states at 10,000 VIPs of 4 members.

One server process over a Postgres of its own; the agents are simulated here. CPU is this program's own, Postgres
apart.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from uuid import UUID

import asyncpg
import httpx
import uvloop

from lbaas.api.serve import settle_memory
from lbaas.persistence import migrate
from lbaas.persistence.database import Database
from lbaas.persistence.own_postgres import own_postgres
from lbaas.services import books, tokens
from lbaas.services.answers import Published
from lbaas.services.books import Book
from tests.bench.feed_agents import CHANGE_POOLS, CLUSTER, Poller, commit, path
from tests.bench.feed_hosts import hosts
from tests.bench.feed_reports import reports
from tests.bench.feed_wake_ups import wake_ups
from tests.bench.feed_writers import writing
from tests.bench.figures import Figures
from tests.bench.processes import cpu_s, rss_kib, start

AGENTS, COMMITS, IDLE_S, POLLS_S = 1_000, 300, 30, 4
NODE = UUID(int=2)

FILL = Path(__file__).with_suffix(".sql")


async def main() -> None:
    """Every figure is printed; the status is 1 if a goal was missed."""
    figures = Figures()
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lbaas-bench-")))
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - so that an unprivileged Postgres may enter
        dsn = await stack.enter_async_context(own_postgres(directory))
        database = Database(dsn)
        await migrate.to_head(database)
        connection = await database.connect()
        await connection.execute(FILL.read_text())
        await compiling(figures, database, connection)
        await tokens.bootstrap(database, directory / "admin-token")
        admin = (directory / "admin-token").read_text().strip()
        port, process = serve(directory, dsn)
        try:
            await ready(port)
            token = await node_token(port, admin)
            # First, while no memory of other work lies about that could be used again.
            await waiting(figures, connection, port, token, process.pid)
            await wake_ups(figures, connection, port, token, process.pid)
            await latency(figures, connection, port, token)
            await not_modified(figures, port, token)
            bearers = await hosts(figures, connection, port, lambda: cpu_s(process.pid))
            await reports(figures, port, bearers, lambda: cpu_s(process.pid))
        finally:
            process.terminate()
            process.wait(20)
        try:
            await writing(figures, database, dsn)
        finally:
            await connection.close()
            await database.close()
    figures.finish()


async def load(database: Database, known: Book | None) -> Book:
    async with database.snapshot() as at:
        return await books.load(at, CLUSTER, known)


async def compiling(figures: Figures, database: Database, connection: asyncpg.Connection) -> None:
    settle_memory()  # as the server does
    begun = time.process_time()
    book = await load(database, None)
    figures.shown("feed.whole_cold_cpu", (time.process_time() - begun) * 1e3, "ms")
    begun = time.process_time()
    body = await Published("cluster", book).answer(None).encoded("zstd")
    figures.at_most("feed.whole_warm_cpu", (time.process_time() - begun) * 1e3, "ms", 100)
    figures.at_most("feed.whole_compressed", len(body) / 1e6, "MB", 2.5)
    for changes, goal in ((10, 1.0), (1000, 15.0)):
        spent = []
        for _ in range(20):
            await connection.execute(CHANGE_POOLS, changes, CLUSTER)
            begun = time.process_time()
            newer = await load(database, book)
            await Published("cluster", newer).answer(book.revision).encoded("zstd")
            spent.append((time.process_time() - begun) * 1e3)
            book = newer
        figures.at_most(f"feed.delta_{changes}_cpu", sorted(spent)[len(spent) // 2], "ms", goal)


def serve(directory: Path, dsn: str) -> tuple[int, subprocess.Popen[bytes]]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    settings = {
        "LBAAS_DATABASE_URL": dsn,
        "LBAAS_DATA_DIR": str(directory),
        "LBAAS_PORT": "none",
        "LBAAS_LISTEN_FDS": f"[{listening.fileno()}]",
    }
    process = start([sys.executable, "-m", "lbaas", "server"], listening, **settings)
    return listening.getsockname()[1], process


async def ready(port: int) -> None:
    async with httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def node_token(port: int, admin: str) -> str:
    headers = {"Authorization": f"Bearer {admin}"}
    body = {"name": "n", "role": "node", "node_id": str(NODE)}
    async with httpx.AsyncClient(headers=headers) as http:
        answer = await http.post(f"http://127.0.0.1:{port}/v1/tokens", json=body)
    return str(answer.raise_for_status().json()["token"])


async def latency(figures: Figures, connection: asyncpg.Connection, port: int, token: str) -> None:
    agents = [await Poller.connect(port, token) for _ in range(2)]
    _, headers, _ = await agents[0].get("/v1/agent/state")
    spent = []
    for _ in range(COMMITS):
        for agent in agents:
            agent.ask(path(headers["lbaas-revision"], 25))
        await asyncio.sleep(0.005)
        waiting = asyncio.gather(*(agent.answer() for agent in agents))
        begun = await commit(connection)
        (_, headers, _), _ = await waiting
        spent.append((asyncio.get_running_loop().time() - begun) * 1e3)
    figures.shown("feed.commit_to_body_p50", quantiles(spent, n=100)[49], "ms")
    figures.at_most("feed.commit_to_body_p99", quantiles(spent, n=100)[98], "ms", 10)


async def not_modified(figures: Figures, port: int, token: str) -> None:
    agents = [await Poller.connect(port, token) for _ in range(32)]
    _, headers, _ = await agents[0].get("/v1/agent/state")
    until = time.monotonic() + POLLS_S

    async def poll(agent: Poller) -> int:
        count = 0
        while time.monotonic() < until:
            status, _, _ = await agent.get(path(headers["lbaas-revision"], 0))
            assert status == 304
            count += 1
        return count

    counts = await asyncio.gather(*map(poll, agents))
    figures.at_least("feed.not_modified", sum(counts) / POLLS_S, "1/s", 7000)


async def waiting(
    figures: Figures, connection: asyncpg.Connection, port: int, token: str, pid: int
) -> None:
    first = await Poller.connect(port, token)
    _, headers, _ = await first.get("/v1/agent/state")
    await commit(connection)
    _, headers, _ = await first.get(path(headers["lbaas-revision"], 25))
    since, agents = headers["lbaas-revision"], [first]
    polls: list[asyncio.Task[None]] = []
    held: list[int] = []
    for half in (AGENTS // 2, AGENTS):
        agents += [await Poller.connect(port, token) for _ in range(half - len(agents))]
        begin = (agent.until_newer(path(since, 25)) for agent in agents[len(polls) :])
        polls += [asyncio.create_task(poll) for poll in begin]
        await asyncio.sleep(2)
        held.append(rss_kib(pid))
    # The second half's: the first finds memory that earlier work has left.
    figures.at_most("feed.waiting_memory", (held[1] - held[0]) / (AGENTS / 2), "KiB", 25)
    used = cpu_s(pid)
    await asyncio.sleep(IDLE_S)
    figures.at_most("feed.waiting_cpu", 100 * (cpu_s(pid) - used) / IDLE_S, "% of a core", 1)
    await commit(connection)
    await asyncio.gather(*polls)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
