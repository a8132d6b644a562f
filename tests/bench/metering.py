"""What the ledger costs: a minute of 10,000 listeners and 1,000 clients' prefixes, from body to commit.

One server process over a Postgres of its own; four nodes of one cluster report over HTTP, as agents do. CPU is the
server's and Postgres's together, as a share of a core that one node's report a minute takes: of the first node, whose
report makes the minute's rows, and of four, of which the others add to them, three at once.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import asyncpg

from lbaas.client.api import ApiClient
from lbaas.wire.usage import Counted, CountedPrefix, Point, UsageReport, UsageReports
from tests.bench.figures import Figures
from tests.bench.http import Connection
from tests.integration.server.conftest import LiveServer, start_server

LISTENERS, PREFIXES, NODES, MINUTES = 10_000, 1_000, 4, 8
TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
GOAL_CORE = 0.10

FILL = """
WITH t AS (INSERT INTO tenant (id, name, backend_prefixes) VALUES ($1, 'bench', '{}')),
c AS (INSERT INTO cluster (id, name, as_number, mark_first, mark_last) VALUES ($1, 'bench', 65001, 1, 99999)),
a AS (INSERT INTO address_pool (id, cluster_id, name, prefix, reserved)
    VALUES ($1, $1, 'bench', '10.0.0.0/8', '{}')),
p AS (INSERT INTO pool (id, tenant_id, name, scheduler, forwarding) VALUES ($1, $1, 'bench', 'mh', 'tunnel')),
v AS (INSERT INTO vip (id, tenant_id, cluster_id, address_pool_id, name, address)
    SELECT gen_random_uuid(), $1, $1, $1, 'v' || n, '10.0.0.0'::inet + n FROM generate_series(1, $2) AS n
    RETURNING id)
INSERT INTO listener (id, tenant_id, vip_id, name, protocol, ports, pool_id)
SELECT gen_random_uuid(), $1, v.id, 'http', 'tcp', '[{"first": 80, "last": 80}]', $1 FROM v
"""


class Node:
    """A node's meter. Each minute all listeners were busy, and prefixes came and went."""

    def __init__(self, token: str, listeners: list[tuple[UUID, UUID]], begun_s: int) -> None:
        self.token = token
        self._listeners = listeners
        self._meter = uuid4()
        self._begun_s = begun_s

    def report(self, sequence: int) -> bytes:
        """The body of minute *sequence*."""
        begun_s = self._begun_s + 60 * sequence
        report = UsageReport(
            meter=self._meter,
            sequence=sequence,
            begun_s=begun_s,
            ended_s=begun_s + 60,
            totals=tuple(self._totals(sequence)),
            prefixes=tuple(self._prefixes(sequence)),
        )
        return UsageReports(reports=(report,)).model_dump_json().encode()

    def _totals(self, sequence: int) -> Iterator[Counted]:
        for number, (vip, listener) in enumerate(self._listeners):
            packets = number + sequence
            yield Counted(
                point=Point.NODE,
                vip=vip,
                listener=listener,
                packets=packets,
                bytes=packets * 100,
                connections=7,
            )

    def _prefixes(self, sequence: int) -> Iterator[CountedPrefix]:
        for number in range(PREFIXES):
            vip, _ = self._listeners[number]
            third = (number + sequence * 37) % 256
            yield CountedPrefix.model_validate(
                {
                    "point": Point.NODE,
                    "vip": vip,
                    "prefix": f"198.18.{third}.0/24",
                    "packets": 9,
                    "bytes": 900,
                }
            )


async def main() -> None:
    """Every figure is printed; the status is 1 if a goal was missed."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="lbaas-bench-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - so that an unprivileged Postgres may enter
        server = start_server(Path(directory), LBAAS_RATE_LIMIT="none")
        try:
            await entering(figures, server)
        finally:
            server.stop()
    figures.finish()


async def entering(figures: Figures, server: LiveServer) -> None:
    listeners = await fill(server)
    begun_s = int(time.time()) // 60 * 60 - 60 * (MINUTES + 2)
    nodes = [Node(token, listeners, begun_s) for token in tokens(server)]
    reports = [[node.report(minute) for node in nodes] for minute in range(1, MINUTES + 1)]
    figures.shown("metering.report_size", len(reports[0][0]) / 1e6, "MB")
    alone, together = [], []
    port = int(server.url.rpartition(":")[2])
    for minute, bodies in enumerate(reports):
        before = cpu_s(server)
        # The first report of a minute makes its rows, the next ones add to them.
        await deliver(port, nodes[:1], bodies[:1])
        between = cpu_s(server)
        begun = time.monotonic()
        await deliver(port, nodes[1:], bodies[1:])
        after, elapsed_s = cpu_s(server), time.monotonic() - begun
        if minute:  # the first makes partitions and plans
            alone.append(between - before)
            together.append((after - before) / NODES)
    figures.at_most("metering.enter_first_of_minute", median(alone) / 60, "core", GOAL_CORE)
    figures.at_most("metering.enter_node_of_four", median(together) / 60, "core", GOAL_CORE)
    figures.shown("metering.enter_three_at_once", elapsed_s, "s")
    await check(server)


async def deliver(port: int, nodes: list[Node], bodies: list[bytes]) -> None:
    async def one(node: Node, body: bytes) -> None:
        async with Connection(port, node.token) as connection:
            await connection.ask("POST", "/v1/agent/usage", body)

    await asyncio.gather(*map(one, nodes, bodies))


async def fill(server: LiveServer) -> list[tuple[UUID, UUID]]:
    """VIP and listener of each."""
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(FILL.replace("$1", f"'{uuid4()}'").replace("$2", str(LISTENERS)))
        await connection.execute("ANALYZE vip, listener")
        rows = await connection.fetch("SELECT vip_id, id FROM listener ORDER BY id")
        return [(UUID(str(vip)), UUID(str(listener))) for vip, listener in rows]
    finally:
        await connection.close()


def tokens(server: LiveServer) -> list[str]:
    """Of so many nodes of the cluster."""
    with closing(ApiClient(server.url, server.admin_token)) as api:
        [cluster] = api.get("/v1/clusters")["items"]
        made = []
        for number in range(NODES):
            body = {"cluster_id": cluster["id"], "name": f"lb{number}", "addresses": []}
            body["addresses"] = [f"10.0.10.{number + 1}"]
            node = api.post("/v1/nodes", body)
            bearer = {"name": "n", "role": "node", "node_id": node["id"]}
            made.append(api.post("/v1/tokens", bearer)["token"])
        return made


async def check(server: LiveServer) -> None:
    """The ledger has what was sent. Raises RuntimeError."""
    expected = NODES * sum(
        number + minute for minute in range(1, MINUTES + 1) for number in range(LISTENERS)
    )
    connection = await asyncpg.connect(server.dsn)
    try:
        for table in ("usage_hour", "usage_minute"):
            found = await connection.fetchval(f"SELECT sum(packets)::bigint FROM {table}")  # noqa: S608 - ours
            if found != expected:
                raise RuntimeError(f"{table} holds {found} packets, {expected} were sent")
    finally:
        await connection.close()


def cpu_s(server: LiveServer) -> float:
    """Of the server and all processes that it started: its Postgres."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True
    ).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    return sum(_own_cpu_s(pid) for pid in parents if _under(pid, server.process.pid, parents))


def _under(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid not in (0, ancestor):
        pid = parents.get(pid, 0)
    return pid == ancestor


def _own_cpu_s(pid: int) -> float:
    """With its ended children, which autovacuum's workers are to Postgres."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) * TICKS_S


if __name__ == "__main__":
    asyncio.run(main())
