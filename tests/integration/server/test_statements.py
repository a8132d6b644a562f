"""How many SQL statements a request costs, once its bearer is known."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from lbaas.api.app import create_app
from lbaas.persistence.database import Database
from lbaas.services import tokens
from lbaas.services.runtime import Runtime

from .conftest import Json, listener

pytestmark = pytest.mark.anyio


@contextmanager
def counting(database: Database) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    seen: list[str] = []

    def see(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", see)
    yield seen
    event.remove(engine, "before_cursor_execute", see)


@pytest.fixture
async def http(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An application in this process, asked as the first operator, whose token it knows already."""
    await tokens.bootstrap(database, tmp_path / "token")
    runtime = Runtime(database)
    runtime.listener.connected = True
    headers = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://lbaas", headers=headers
    ) as client:
        await client.get("/v1/clusters")
        yield client


async def post(http: httpx.AsyncClient, path: str, body: Json) -> Json:
    answer = await http.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


@pytest.fixture
async def vip(http: httpx.AsyncClient) -> Json:
    cluster = await post(http, "/v1/clusters", {"name": "c", "as_number": 65001})
    pool = {"name": "p", "cluster_id": cluster["id"], "prefix": "198.51.100.0/24"}
    await post(http, "/v1/address-pools", pool)
    tenant = await post(http, "/v1/tenants", {"name": "t", "backend_prefixes": ["10.0.20.0/24"]})
    web = [listener("a", 80, "10.0.20.1"), listener("b", 81)]
    return await post(http, "/v1/vips", {"name": "v", "tenant_id": tenant["id"], "listeners": web})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/vips/{id}",
        "/v1/vips",
        "/v1/vips?labels=env!=prod&sort=-name&limit=1",
        "/v1/pools?name=v-a",
        "/v1/listeners",
        "/v1/pools/{pool}/members",
        "/v1/pools/{pool}/members?sort=-created_at&limit=1",
        "/v1/events",
    ],
)
async def test_one_object_or_one_page_is_one_statement(
    http: httpx.AsyncClient, database: Database, vip: Json, path: str
) -> None:
    with counting(database) as seen:
        answer = await http.get(path.format(id=vip["id"], pool=vip["listeners"][0]["pool_id"]))

    assert answer.status_code == 200
    assert len(seen) == 1, seen


async def test_a_page_costs_the_same_however_many_objects_it_shows(
    http: httpx.AsyncClient, database: Database, vip: Json
) -> None:
    for number in range(5):
        await post(http, "/v1/vips", {"name": f"v{number}", "tenant_id": vip["tenant_id"]})

    with counting(database) as seen:
        answer = await http.get("/v1/vips")

    assert len(answer.json()["items"]) == 6
    assert len(seen) == 1, seen


async def test_a_whole_vip_costs_no_more_statements_than_it_has_kinds_of_rows(
    http: httpx.AsyncClient, database: Database, vip: Json
) -> None:
    """Through a session, as an operator's goes: however many members, 8 kinds of rows are written, and as many
    are looked at or locked."""
    members = [f"10.0.20.{n}" for n in range(1, 40)]
    body = {"name": "w", "tenant_id": vip["tenant_id"], "listeners": [listener("a", 80, *members)]}

    with counting(database) as seen:
        answer = await http.post("/v1/vips", json=body, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 201
    assert len(seen) <= 16, seen


@pytest.mark.parametrize(
    ("method", "path", "body", "most"),
    [
        ("PATCH", "/v1/vips/{vip}", {"new_connections_per_source": 5}, 5),
        ("PATCH", "/v1/pools/{pool}", {"drain_deadline_s": 5}, 5),
        ("POST", "/v1/pools/{pool}/members", {"address": "10.0.20.7"}, 6),
        ("PATCH", "/v1/pools/{pool}/members/{member}", {"weight": 5}, 5),
        ("DELETE", "/v1/pools/{pool}/members/{member}", None, 5),
        ("DELETE", "/v1/vips/{vip}?cascade=true", None, 12),
    ],
)
async def test_a_change_costs_as_many_statements_as_it_looks_at_and_writes(
    http: httpx.AsyncClient,
    database: Database,
    vip: Json,
    method: str,
    path: str,
    body: Json | None,
    most: int,
) -> None:
    pool = vip["listeners"][0]["pool_id"]
    [member] = (await http.get(f"/v1/pools/{pool}/members")).json()["items"]
    address = path.format(vip=vip["id"], pool=pool, member=member["id"])

    with counting(database) as seen:
        answer = await http.request(method, address, json=body)

    assert answer.is_success, answer.text
    assert len(seen) <= most, seen
