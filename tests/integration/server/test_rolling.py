"""Replicas are replaced one by one, under load and over a schema that is later than they know."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Self
from uuid import uuid4

import asyncpg
import httpx
import pytest

from lbaas.client.api import ApiClient

from .conftest import Json, LiveServer, _execute, dsn, start_server

pytestmark = pytest.mark.anyio

PATIENCE_S = 60


class RoundRobin:
    """Asks the replicas by turns, as a load balancer does: who does not answer at all is passed by."""

    def __init__(self, replicas: list[LiveServer], token: str) -> None:
        self._replicas = replicas
        self._turns = count()
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(PATIENCE_S)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            replica = self._replicas[next(self._turns) % len(self._replicas)]
            try:
                return self._http.request(method, replica.url + path, **more)  # type: ignore[arg-type]  # httpx's own
            except httpx.TransportError:
                assert time.monotonic() < deadline, "no replica answers"


class Writers:
    """Make VIPs until they are told to stop, and read each again."""

    def __init__(self, balancer: Callable[[], RoundRobin], clients: int = 3) -> None:
        self.answered: list[tuple[str, int]] = []
        self.enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(balancer(),)) for _ in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _write(self, balancer: RoundRobin) -> None:
        with balancer as http:
            while not self.enough.is_set():
                self._make(http, f"v-{uuid4().hex}")

    def _make(self, http: RoundRobin, name: str) -> None:
        headers = {"Idempotency-Key": name}
        made = http.ask("POST", "/v1/vips", json={"name": name}, headers=headers)
        self.answered.append((name, made.status_code))
        if made.status_code == 201:
            shown = http.ask("GET", f"/v1/vips/{made.json()['id']}")
            self.answered.append(("", shown.status_code))

    def stop(self) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture
async def database(server: LiveServer) -> str:
    """The DSN of an empty one, in the session's Postgres."""
    name = f"rolling_{uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
    return dsn(server.data_dir, name)


@pytest.fixture
def replicas(database: str, short_dir: Callable[[], Path]) -> Iterator[list[LiveServer]]:
    first = short_dir()
    running = [start_server(first, LBAAS_DATABASE_URL=database, LBAAS_RATE_LIMIT="none")]
    running.append(start_server(short_dir(), LBAAS_DATABASE_URL=database, LBAAS_RATE_LIMIT="none"))
    yield running
    for replica in running:
        replica.stop(signal.SIGKILL)


@pytest.fixture
def token(replicas: list[LiveServer]) -> str:
    """A tenant's, who can have addresses."""
    with ApiClient(replicas[0].url, replicas[0].admin_token) as admin:
        cluster = admin.post("/v1/clusters", {"name": "c", "as_number": 65001})
        pool = {"name": "p", "cluster_id": cluster["id"], "prefix": "10.64.0.0/12"}
        admin.post("/v1/address-pools", pool)
        tenant = admin.post("/v1/tenants", {"name": "t", "backend_prefixes": ["10.0.20.0/24"]})
        body = {"name": "t", "role": "member", "tenant_id": tenant["id"]}
        return str(admin.post("/v1/tokens", body)["token"])


async def a_later_release_upgrades(database: str) -> None:
    """As its migration does: something more, and nothing else."""
    connection = await asyncpg.connect(database)
    await connection.execute("ALTER TABLE vip ADD COLUMN later text NOT NULL DEFAULT 'x'")
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()


def names(http: RoundRobin) -> set[str]:
    found: set[str] = set()
    cursor: Json = {}
    while True:
        page = http.ask("GET", "/v1/vips", params={"limit": 1000, **cursor}).json()
        found |= {vip["name"] for vip in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_replicas_are_replaced_under_load_and_nobody_sees_an_error(
    replicas: list[LiveServer], token: str, database: str, short_dir: Callable[[], Path]
) -> None:
    writers = Writers(lambda: RoundRobin(replicas, token))
    try:
        await a_later_release_upgrades(database)
        for number, old in enumerate(list(replicas)):
            assert old.stop() == 0
            replicas[number] = start_server(
                short_dir(), LBAAS_DATABASE_URL=database, LBAAS_RATE_LIMIT="none"
            )
    finally:
        writers.stop()

    assert {status for _, status in writers.answered} == {200, 201}
    made = {name for name, status in writers.answered if status == 201}
    with RoundRobin(replicas, token) as http:
        assert made == names(http)
