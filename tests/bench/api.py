"""The tenant API against its limit: one hand-written statement that writes the same rows, in the same run.

Two replicas over one Postgres, 32 clients. CPU is the server process's own, without Postgres's and the client's.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg

from lbaas.client.api import ApiClient
from lbaas.persistence import extents
from lbaas.persistence.database import Database
from lbaas.persistence.extents import Span
from lbaas.persistence.hot import Statement
from tests.bench.figures import Figures
from tests.bench.http import Connection
from tests.bench.processes import cpu_s, rss_kib
from tests.bench.raw_create import RAW
from tests.integration.server.conftest import Json, LiveServer, start_server

CLIENTS = 32
LOAD_S = 3.0
ROUNDS = 5  # of raw statements and of POSTs by turns: what else the machine does then strikes both
ALONE = 300
MANY = 100_000


class Site:
    """Two replicas, and a tenant with an address pool that is large enough."""

    def __init__(self, servers: list[LiveServer]) -> None:
        self.servers = servers
        with ApiClient(servers[0].url, servers[0].admin_token) as admin:
            marks = {"first": 0x10000000, "last": 0x1FFFFFFF}
            cluster = admin.post(
                "/v1/clusters", {"name": "bench", "as_number": 65001, "marks": marks}
            )
            tenant = admin.post(
                "/v1/tenants", {"name": "bench", "backend_prefixes": ["10.0.20.0/24"]}
            )
            pool = {"name": "bench", "cluster_id": cluster["id"], "prefix": "100.64.0.0/10"}
            self.pool = UUID(admin.post("/v1/address-pools", pool)["id"])
            body = {"name": "bench", "role": "member", "tenant_id": tenant["id"]}
            self.token = str(admin.post("/v1/tokens", body)["token"])
            self.cluster, self.tenant = UUID(cluster["id"]), UUID(tenant["id"])

    def connection(self, number: int = 0) -> Connection:
        """To the replicas by turns."""
        url = self.servers[number % len(self.servers)].url
        return Connection(urlsplit(url).port or 0, self.token)


def full_vip() -> bytes:
    members = [{"address": f"10.0.20.{n}"} for n in range(1, 5)]
    pool = {"monitor": {"kind": "tcp"}, "members": members}
    ports = [{"first": 80}]
    entry = {"name": "http", "protocol": "tcp", "ports": ports, "pool": pool}
    return json.dumps({"name": f"v-{uuid4().hex}", "listeners": [entry]}).encode()


async def post_full(connection: Connection) -> Json:
    answer = await connection.ask("POST", "/v1/vips", full_vip(), {"Idempotency-Key": uuid4().hex})
    made: Json = json.loads(answer)
    return made


async def throughput(client: Callable[[int, Callable[[], bool]], Awaitable[int]]) -> float:
    """Operations a second of all clients, each of which goes on while it is told so."""
    begun = time.monotonic()
    counts = await asyncio.gather(
        *(client(number, lambda: time.monotonic() < begun + LOAD_S) for number in range(CLIENTS))
    )
    return sum(counts) / (time.monotonic() - begun)


async def raw_statements(site: Site) -> float:
    pool = await asyncpg.create_pool(site.servers[0].dsn, min_size=CLIENTS, max_size=CLIENTS)
    first, marks = int.from_bytes(bytes([100, 64, 0, 0])), 0x10000000

    async def client(_number: int, going_on: Callable[[], bool]) -> int:
        count = 0
        async with pool.acquire() as connection:
            statement = await connection.prepare(RAW)
            while going_on():
                dice = uuid4().int
                start, mark = first + dice % 2**21, marks + dice % 2**27
                await statement.fetch(
                    site.pool, site.cluster, site.tenant, start, mark, f"r-{dice:x}"
                )
                count += 1
        return count

    try:
        return await throughput(client)
    finally:
        await pool.close()


async def full_posts(site: Site) -> float:
    async def client(number: int, going_on: Callable[[], bool]) -> int:
        count = 0
        async with site.connection(number) as connection:
            while going_on():
                await post_full(connection)
                count += 1
        return count

    return await throughput(client)


async def alone_p50_ms(site: Site) -> float:
    times = []
    async with site.connection() as connection:
        for _ in range(ALONE):
            begun = time.perf_counter()
            await post_full(connection)
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


async def cpu_ms(site: Site, path: str, count: int = ALONE) -> float:
    """The first replica's CPU for one GET of *path*."""
    return await cpu_ms_of([site.servers[0].process.pid], site, path, count)


async def whole_cpu_ms(site: Site, path: str, count: int) -> float:
    """As :func:`cpu_ms`, and that of Postgres's connections; what it tidies up meanwhile is not the page's."""
    server = site.servers[0].process.pid
    connections = [each for each in descendants(server) if serves_a_client(each)]
    return await cpu_ms_of([server, *connections], site, path, count)


def serves_a_client(process: int) -> bool:
    """True of a backend of Postgres, by its title: the user's name comes first."""
    return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"postgres: lbaas ")


async def cpu_ms_of(processes: list[int], site: Site, path: str, count: int) -> float:
    async with site.connection() as connection:
        await connection.ask("GET", path)
        before = sum(map(cpu_s, processes))
        for _ in range(count):
            await connection.ask("GET", path)
    return (sum(map(cpu_s, processes)) - before) / count * 1000


def descendants(process: int) -> list[int]:
    """Those that *process* has started, and those that they have."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return children + [below for child in children for below in descendants(child)]


async def fill(site: Site, count: int) -> None:
    """*count* VIPs more, with labels: written past the API."""
    connection = await asyncpg.connect(site.servers[0].dsn)
    await connection.execute(
        "INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address, labels) "
        "SELECT gen_random_uuid(), $1, $2, $3, 'filled-' || n, '10.0.0.0'::inet + n, "
        "jsonb_build_object('ten', (n % 10)::text, 'thousand', (n % 1000)::text) "
        "FROM generate_series($4::int, $4 + $5) AS n",
        site.tenant,
        site.cluster,
        site.pool,
        count,
        count - 1,
    )
    await connection.execute("ANALYZE vip, listener")
    await connection.close()


async def allocations(site: Site, first: int, size: int) -> float:
    """Addresses taken and given back, a transaction each, in a space of *size* that is 99.9 % full."""
    database = Database(site.servers[0].dsn)
    space, left = uuid4(), size // 1000
    async with database.session() as session:
        await extents.open_space(session, space, [Span(first, first + left - 1)])
        await session.commit()
    await database.close()
    take, give_back = Statement(extents.TAKE), Statement(extents.GIVE_BACK)
    pool = await asyncpg.create_pool(site.servers[0].dsn, min_size=CLIENTS, max_size=CLIENTS)

    async def client(_number: int, going_on: Callable[[], bool]) -> int:
        count = 0
        async with pool.acquire() as connection:
            taking = await connection.prepare(take.sql)
            giving = await connection.prepare(give_back.sql)
            while going_on():
                start = Decimal(first + uuid4().int % left)
                number = await taking.fetchval(
                    *take.values({"taken_space": space, "taken_start": start})
                )
                if number is not None:
                    await giving.fetch(*give_back.values({"space": space, "number": number}))
                    count += 1
        return count

    try:
        return await throughput(client)
    finally:
        await pool.close()


# By label: so chosen that a hundred are found among a thousand, and a hundred among a hundred thousand.
PAGES = {
    "": ("", ""),
    "_by_label": ("&labels=ten=7", "&labels=thousand=7"),
    "_by_name": ("&sort=name", "&sort=name"),
}


async def flatness(site: Site, figures: Figures) -> None:
    """Does a page cost the same among a hundred times as many? Postgres's part included."""
    few = await pages_cpu_ms(site, [few for few, _ in PAGES.values()])
    await fill(site, MANY)
    many = await pages_cpu_ms(site, [many for _, many in PAGES.values()])
    for name, before, after in zip(PAGES, few, many, strict=True):
        label = f"api.page_of_100{name}_among_100k_per_1k"
        figures.at_most(label, after / before, "ratio", 1.5)


async def pages_cpu_ms(site: Site, queries: list[str]) -> list[float]:
    return [await whole_cpu_ms(site, f"/v1/vips?limit=100{query}", ALONE) for query in queries]


async def measure(site: Site, figures: Figures) -> None:
    async with site.connection() as connection:
        vip = await post_full(connection)
    one = await cpu_ms(site, f"/v1/vips/{vip['id']}")
    figures.at_most("api.get_one", one, "ms_cpu", 1)
    await fill(site, 1000)
    page = await cpu_ms(site, "/v1/vips?limit=100")
    figures.at_most("api.page_of_100", page, "ms_cpu", 2)
    figures.at_most("api.post_full_alone_p50", await alone_p50_ms(site), "ms", 3)
    rounds = [(await raw_statements(site), await full_posts(site)) for _ in range(ROUNDS)]
    figures.shown("api.raw_statement", statistics.median(raw for raw, _ in rounds), "per_s")
    figures.shown("api.post_full", statistics.median(full for _, full in rounds), "per_s")
    ratio = statistics.median(full / raw for raw, full in rounds)
    figures.at_least("api.post_full_per_raw", ratio, "ratio", 0.33)
    spaces = {"v4_12": (0x0A000000, 2**20), "v6_64": (0x20010DB8 << 96, 2**64)}
    for name, (first, size) in spaces.items():
        pairs = await allocations(site, first, size)
        figures.at_least(f"api.allocate_and_release_{name}", pairs, "per_s", 2500)
    await flatness(site, figures)
    figures.at_most("api.rss", rss_kib(site.servers[0].process.pid) / 1024, "MiB", 150)


def main() -> None:
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="lbaas-bench-", dir="/tmp") as first_dir:
        Path(first_dir).chmod(0o755)
        first = start_server(Path(first_dir), LBAAS_RATE_LIMIT="none")
        with tempfile.TemporaryDirectory() as second_dir:
            second = start_server(
                Path(second_dir), LBAAS_DATABASE_URL=first.dsn, LBAAS_RATE_LIMIT="none"
            )
            try:
                asyncio.run(measure(Site([first, second]), figures))
            finally:
                second.stop()
                first.stop()
    figures.finish()


if __name__ == "__main__":
    main()
