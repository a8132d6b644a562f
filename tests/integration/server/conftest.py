"""A live server with its own Postgres, once per session, and what tests need around it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import httpx
import pytest

from lbaas.client.agent import AgentClient, Fetched
from lbaas.client.api import ApiClient
from lbaas.persistence import migrate
from lbaas.persistence.database import Database
from lbaas.services.new_authority import new_authority
from lbaas.wire.reading import Reader
from lbaas.wire.state import ClusterState

START_TIMEOUT_S = 60

Json = dict[str, Any]


@dataclass
class LiveServer:
    """A server process and its address."""

    process: subprocess.Popen[bytes]
    url: str
    data_dir: Path

    @property
    def admin_token(self) -> str:
        return (self.data_dir / "admin-token").read_text().strip()

    @property
    def dsn(self) -> str:
        """Of its Postgres."""
        return dsn(self.data_dir)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def dsn(data_dir: Path, database: str = "postgres") -> str:
    return f"postgresql://lbaas@/{database}?host={quote(str(data_dir / 'run'), safe='')}"


def start_server(data_dir: Path, kept: socket.socket | None = None, **settings: str) -> LiveServer:
    """A server that is ready, on an inherited socket: *kept*, or a new one of a free port."""
    listening = kept or socket.create_server(("127.0.0.1", 0))
    environment = {
        **os.environ,
        "LBAAS_DATA_DIR": str(data_dir),
        "LBAAS_PORT": "none",
        "LBAAS_LISTEN_FDS": f"[{listening.fileno()}]",
        **settings,
    }
    with (data_dir / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lbaas", "server"],
            env=environment,
            pass_fds=[listening.fileno()],
            stdout=log,
            stderr=log,
        )
    scheme = "https" if "LBAAS_TLS_CERT" in settings else "http"
    url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
    if kept is None:
        listening.close()
    server = LiveServer(process, url, data_dir)
    _await_ready(server)
    return server


def _await_ready(server: LiveServer) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/readyz", verify=False).is_success:  # noqa: S501  # is it up at all?
                return
        except httpx.TransportError:
            time.sleep(0.05)
    server.process.kill()
    pytest.fail("the server did not come up: " + (server.data_dir / "server.log").read_text())


@pytest.fixture(scope="session")
def short_dir() -> Iterator[Callable[[], Path]]:
    """Makes directories that an unprivileged Postgres can reach, with names short enough for a socket."""
    made: list[tempfile.TemporaryDirectory[str]] = []

    def make() -> Path:
        made.append(tempfile.TemporaryDirectory(prefix="lbaas-test-", dir="/tmp"))
        Path(made[-1].name).chmod(0o755)
        return Path(made[-1].name)

    yield make
    for directory in made:
        directory.cleanup()


def authority(directory: Path, name: str = "ca") -> dict[str, str]:
    """The settings of a server with a new authority in *directory*."""
    files = directory / f"{name}.pem", directory / f"{name}.key"
    texts = new_authority(name, timedelta(days=1), datetime.now(UTC))
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return {"LBAAS_CA_CERT": str(files[0]), "LBAAS_CA_KEY": str(files[1])}


@pytest.fixture(scope="session")
def server(short_dir: Callable[[], Path]) -> Iterator[LiveServer]:
    """It has an authority, and believes what a proxy on this machine says of certificates."""
    directory = short_dir()
    settings = {"LBAAS_TRUSTED_PROXIES": '["127.0.0.0/8"]', **authority(directory)}
    running = start_server(directory, None, **settings)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def admin(server: LiveServer) -> Iterator[ApiClient]:
    with ApiClient(server.url, server.admin_token) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def _hosts_of_their_own(admin: ApiClient) -> Iterator[None]:
    """The backend hosts of one module are gone before the next: of an address there is one, whoever's test it is."""
    before = {host.id for host in admin.backend_hosts.list()}
    yield
    for host in admin.backend_hosts.list():
        if host.id not in before:
            admin.backend_hosts.delete(host.id)


@pytest.fixture(scope="session")
def replica(server: LiveServer, short_dir: Callable[[], Path]) -> Iterator[LiveServer]:
    """A second server over the first one's Postgres."""
    running = start_server(short_dir(), LBAAS_DATABASE_URL=server.dsn)
    yield running
    assert running.stop() == 0


@dataclass
class Site:
    """A cluster with two nodes, a pool of each family and a tenant; names are its own."""

    server: LiveServer
    admin: ApiClient
    cluster: Json
    nodes: list[Json]
    v4: Json
    v6: Json
    tenant: Json
    clients: list[ApiClient] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.close()

    def client(self, role: str, at: LiveServer | None = None, **bearer: str) -> ApiClient:
        """The API, of another server than the site's if *at* says so, as the bearer of a new token."""
        token = self.admin.post("/v1/tokens", {"name": "t", "role": role, **bearer})["token"]
        self.clients.append(ApiClient((at or self.server).url, token))
        return self.clients[-1]

    def member(self) -> ApiClient:
        return self.client("member", tenant_id=self.tenant["id"])

    def node(self, index: int = 0, at: LiveServer | None = None) -> ApiClient:
        return self.client("node", at, node_id=self.nodes[index]["id"])


def fetch(agent: ApiClient, held: Fetched | None = None) -> Fetched:
    """What an agent with *agent*'s token fetches when it holds *held*."""
    token = agent._http.headers["Authorization"].removeprefix("Bearer ")
    with closing(AgentClient(str(agent._http.base_url), token)) as client:
        fetched = client.fetch(held)
    assert fetched is not None
    return fetched


def cluster_state(fetched: Fetched) -> ClusterState:
    return Reader(ClusterState).read(fetched.entries, fetched.revision)


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:12]}"


def listener(name: str = "http", port: int = 80, *members: str, **other: object) -> Json:
    """The body of an inline listener with a pool of its own."""
    pool = {"members": [{"address": member} for member in members]}
    ports = [{"first": port}]
    return {"name": name, "protocol": "tcp", "ports": ports, "pool": pool, **other}


def make_site(server: LiveServer, admin: ApiClient, nodes: int = 2, **cluster: object) -> Site:
    made = admin.post("/v1/clusters", {"name": unique("c"), "as_number": 65001, **cluster})
    inside = {"cluster_id": made["id"]}
    return Site(
        server,
        admin,
        made,
        [
            admin.post(
                "/v1/nodes", {**inside, "name": f"lb{n}", "addresses": [f"10.0.10.{n + 11}"]}
            )
            for n in range(nodes)
        ],
        admin.post(
            "/v1/address-pools", {**inside, "name": unique("v4"), "prefix": "198.51.100.0/24"}
        ),
        admin.post(
            "/v1/address-pools", {**inside, "name": unique("v6"), "prefix": "2001:db8:100::/64"}
        ),
        admin.post(
            "/v1/tenants",
            {"name": unique("t"), "backend_prefixes": ["10.0.20.0/24", "fd00:20::/64"]},
        ),
    )


@pytest.fixture
def site(server: LiveServer, admin: ApiClient) -> Iterator[Site]:
    # Other sites' pools have the same prefixes: addresses of this one must be asked for by pool.
    with make_site(server, admin) as made:
        yield made


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def template(server: LiveServer) -> str:
    """A database at head, to copy."""
    await _execute(server, "CREATE DATABASE template_head")
    database = Database(dsn(server.data_dir, "template_head"))
    await migrate.to_head(database)
    await database.close()
    return "template_head"


@pytest.fixture
async def empty_database(server: LiveServer) -> AsyncIterator[Database]:
    """A database without a table."""
    async with _database(server, "template0") as database:
        yield database


@pytest.fixture
async def database(server: LiveServer, template: str) -> AsyncIterator[Database]:
    """A database at head, of this test's own."""
    async with _database(server, template) as database:
        yield database


@asynccontextmanager
async def _database(server: LiveServer, template: str) -> AsyncIterator[Database]:
    name = f"test_{uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    made = Database(dsn(server.data_dir, name), pool_size=40)
    try:
        yield made
    finally:
        await made.close()
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: LiveServer, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def eventually(holds: Callable[[], bool]) -> None:
    """*holds*, though perhaps not at once."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
