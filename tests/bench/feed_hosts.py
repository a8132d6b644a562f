"""A thousand backend hosts that wait: what a change costs that concerns none of them, and one that concerns one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from uuid import UUID

import asyncpg

from lbaas.services import tokens, work
from tests.bench.feed_agents import Poller, tell
from tests.bench.figures import Figures

HOSTS, COMMITS, SETTLE_S = 1_000, 50, 2
FIRST = int(ip_address("10.128.0.0"))
MAKE_HOST = """
    WITH host AS (INSERT INTO backend_host (id, name, addresses) VALUES ($1, $1::uuid::text, ARRAY[$2::inet]))
    INSERT INTO token (id, name, role, prefix, secret_sha256, host_id)
    VALUES (gen_random_uuid(), 'h', 'host', $3, $4, $1)
"""
CLUSTER = UUID(int=1)
CHANGE = "INSERT INTO change (cluster_id, kind, object_id) VALUES ($1, 'pool', $2)"


async def hosts(
    figures: Figures, connection: asyncpg.Connection, port: int, cpu_s: Callable[[], float]
) -> Sequence[str]:
    """The hosts' tokens. *cpu_s* is what the server has used."""
    pools = [pool for (pool,) in await connection.fetch("SELECT id FROM pool ORDER BY id LIMIT 2")]
    await connection.execute(
        "UPDATE member SET address = $1 WHERE id = (SELECT id FROM member WHERE pool_id = $2 LIMIT 1)",
        ip_address(FIRST),
        pools[0],
    )
    made = [await make_host(connection, number) for number in range(HOSTS)]
    async with AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(polling(port, token)) for token in made]
        while not all(agent.answers for agent in waiting):  # noqa: ASYNC110 - as a bench may
            await asyncio.sleep(0.1)
        # Until their next polls are there: one that comes after a change is answered at once, by an empty delta.
        await asyncio.sleep(SETTLE_S)
        for name, pool in (("others", pools[1]), ("one", pools[0])):
            answers = sum(agent.answers for agent in waiting)
            used = cpu_s()
            for _ in range(COMMITS):
                await told(connection, pool)
            await asyncio.sleep(SETTLE_S)
            woken = sum(agent.answers for agent in waiting) - answers
            figures.shown(
                f"feed.hosts_cpu_per_change_of_{name}", (cpu_s() - used) / COMMITS * 1e3, "ms"
            )
            goal = 0 if pool is pools[1] else COMMITS
            figures.at_most(f"feed.hosts_woken_by_{name}", woken, "answers", goal)
    return made


async def make_host(connection: asyncpg.Connection, number: int) -> str:
    """The token of a new host with an address of its own."""
    secret = tokens.new_secret()
    address = ip_address(FIRST + number)
    await connection.execute(
        MAKE_HOST, UUID(int=(1 << 64) + number), address, secret.prefix, secret.sha256
    )
    return str(secret)


class Waiting:
    """A host's agent: asks for what is newer, again and again."""

    def __init__(self, agent: Poller) -> None:
        self._agent = agent
        self.answers = 0

    async def run(self) -> None:
        since = ""
        while True:
            status, headers, _ = await self._agent.get(f"/v1/agent/state?timeout_s=25{since}")
            if status == 200:
                self.answers += 1
                since = f"&since={headers['lbaas-revision']}"


@asynccontextmanager
async def polling(port: int, token: str) -> AsyncIterator[Waiting]:
    waiting = Waiting(await Poller.connect(port, token))
    running = asyncio.create_task(waiting.run())
    try:
        yield waiting
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def told(connection: asyncpg.Connection, pool: UUID) -> None:
    """A change of *pool* is committed, and the server hears of it; a moment for it alone."""
    async with connection.transaction():
        await connection.execute(CHANGE, CLUSTER, pool)
        revision = await connection.fetchval("SELECT pg_current_xact_id()::text")
    await tell(connection, work.HOSTS, revision)
    await asyncio.sleep(0.01)
