"""A thousand waiting agents, all woken by one change, beside a bare ASGI endpoint that gives as many the same body.

By turns in one run: what else the machine does strikes both alike.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from statistics import median

import asyncpg

from tests.bench.feed_agents import Poller, commit, path
from tests.bench.figures import Figures
from tests.bench.processes import cpu_s, start

AGENTS, ROUNDS, SETTLE_S = 1_000, 9, 1
BARE = ["-m", "uvicorn", "tests.bench.feed_bare:app", "--no-access-log", "--log-level", "warning"]


async def wake_ups(
    figures: Figures, connection: asyncpg.Connection, port: int, token: str, server: int
) -> None:
    """*server* is the process that listens on *port*."""
    async with bare_server() as (bare_port, bare_server_pid):
        agents = [await Poller.connect(port, token) for _ in range(AGENTS)]
        others = [await Poller.connect(bare_port, "x") for _ in range(AGENTS)]
        trigger = await Poller.connect(bare_port, "x")
        woken, bare = [], []
        for _ in range(ROUNDS):
            _, headers, _ = await agents[0].get("/v1/agent/state")
            since = headers["lbaas-revision"]
            woken.append(await told(agents, path(since, 25), server, partial(commit, connection)))
            _, _, body = await agents[0].get(path(since, 0))
            bare.append(await told(others, "/", bare_server_pid, partial(fire, trigger, body)))
    ours, least = (median(wall for wall, _ in each) for each in (woken, bare))
    figures.shown("feed.wake_up", ours * 1e3, "ms")
    figures.shown("feed.wake_up_bare", least * 1e3, "ms")
    ratio = median(one / other for (one, _), (other, _) in zip(woken, bare, strict=True))
    figures.at_most("feed.wake_up_per_bare", ratio, "ratio", 1.5)
    for name, each in (("", woken), ("_bare", bare)):
        spent = median(cpu for _, cpu in each)
        figures.shown(f"feed.wake_up{name}_cpu_per_agent", spent / AGENTS * 1e6, "us")


async def told(
    waiters: Sequence[Poller], asked: str, server: int, tell: Callable[[], Awaitable[float]]
) -> tuple[float, float]:
    """Seconds from the moment that *tell* says until all of *waiters* have their answer; CPU of the *server* for it."""
    for waiter in waiters:
        waiter.ask(asked)
    await asyncio.sleep(SETTLE_S)
    used = cpu_s(server)
    begun = await tell()
    answers = await asyncio.gather(*(waiter.answer() for waiter in waiters))
    lasted = asyncio.get_running_loop().time() - begun
    assert all(status == 200 for status, _, _ in answers)
    return lasted, cpu_s(server) - used


async def fire(trigger: Poller, body: bytes) -> float:
    """The loop's time at which whoever waits is to be given *body*."""
    at = asyncio.get_running_loop().time()
    trigger.post("/", body)
    await trigger.answer()
    return at


@asynccontextmanager
async def bare_server() -> AsyncIterator[tuple[int, int]]:
    """Its port and its process."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    process = start([sys.executable, *BARE, "--fd", str(listening.fileno())], listening)
    try:
        yield listening.getsockname()[1], process.pid
    finally:
        process.terminate()
        process.wait(20)
