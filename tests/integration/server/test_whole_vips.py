"""A whole VIP in one statement does what the way through a session does, and no more often."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from lbaas.api.app import create_app
from lbaas.persistence.database import Database
from lbaas.services import tokens
from lbaas.services.runtime import Runtime

from .conftest import Json, listener, unique
from .test_statements import counting

pytestmark = pytest.mark.anyio

FREE = "SELECT sum(hi - lo + 1) FROM free_extent"
CHANGES = "SELECT count(*) FROM change WHERE kind = 'vip'"
EACH_TIME_OTHER = {
    "ID": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "TIME": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)"),
    "ADDRESS": re.compile(r"198\.51\.100\.\d+|2001:db8:[0-9a-f:]+"),
    "REVISION": re.compile(r"lbaas-revision'(: |, )'\d+'"),
    "LENGTH": re.compile(r"content-length'(: |, )'\d+'"),
}


def bare(said: object) -> str:
    """*said* without what is another's each time."""
    text = str(said)
    for name, pattern in EACH_TIME_OTHER.items():
        text = pattern.sub(name, text)
    return text


@dataclass
class House:
    """An application in this process, a tenant's client and an operator's; statements past SQLAlchemy are seen."""

    runtime: Runtime
    http: httpx.AsyncClient
    admin: httpx.AsyncClient
    tenant: str = ""
    pool: str = ""
    seen: list[str] = field(default_factory=list)

    async def made(self, path: str, **body: Any) -> Json:
        answer = await self.admin.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    async def scalar(self, query: str) -> Any:
        async with self.runtime.database.session() as session:
            found = await session.scalar(text(query))
            await session.commit()
            return found

    async def settle(self, **marks: int) -> None:
        """A tenant with a pool of either family."""
        given = {"marks": marks} if marks else {}
        cluster = await self.made("/v1/clusters", name="c", as_number=65001, **given)
        for prefix in ("198.51.100.0/28", "2001:db8::/64"):
            last = await self.made(
                "/v1/address-pools", name=unique("p"), cluster_id=cluster["id"], prefix=prefix
            )
            self.pool = self.pool or last["id"]
        prefixes = ["10.0.20.0/24", "fd00:20::/64"]
        self.tenant = (await self.made("/v1/tenants", name="t", backend_prefixes=prefixes))["id"]
        token = await self.made("/v1/tokens", name="m", role="member", tenant_id=self.tenant)
        self.http.headers["Authorization"] = f"Bearer {token['token']}"


@pytest.fixture
async def empty(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    await tokens.bootstrap(database, tmp_path / "token")
    runtime = Runtime(database)
    runtime.listener.connected = True
    transport = httpx.ASGITransport(create_app(runtime))
    admin = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://lbaas") as http,
        httpx.AsyncClient(transport=transport, base_url="http://lbaas", headers=admin) as operator,
    ):
        house = House(runtime, http, operator)
        connect = database.hot._connect

        def see(record: Any) -> None:
            if not re.search("set_config|typeinfo", record.query):  # asyncpg's own, once
                house.seen.append(record.query)

        async def logged() -> asyncpg.Connection:
            connection = await connect()
            connection.add_query_logger(see)
            return connection

        database.hot._connect = logged
        yield house


@pytest.fixture
async def house(empty: House) -> House:
    await empty.settle()
    return empty


def through_a_session(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(house.runtime.whole_vips, "create", nothing)


WEB = listener("web", 80, "10.0.20.1", "10.0.20.2", labels={"tier": "1"})
DRAINED = {"address": "10.0.20.3", "weight": 0, "admin_state": "drained"}
CHECKED = {
    "name": "checked",
    "scheduler": "mh",
    "monitor": {"kind": "http", "http": {"path": "/x"}},
    "members": [DRAINED],
}
BODIES = [
    pytest.param({}, id="alone"),
    pytest.param({"listeners": [WEB]}, id="whole"),
    pytest.param({"family": 6, "listeners": [listener("a", 1, "fd00:20::1")]}, id="v6"),
    pytest.param(
        {
            "labels": {"env": "prod"},
            "allowed_sources": ["192.0.2.0/24"],
            "new_connections_per_source": 10,
            "listeners": [WEB, {**listener("more", 81), "pool": CHECKED}],
        },
        id="every-field",
    ),
]


@pytest.mark.parametrize("body", BODIES)
async def test_both_ways_leave_the_same_behind(
    house: House, monkeypatch: pytest.MonkeyPatch, body: Json
) -> None:
    async def left_by(request_id: str) -> list[str]:
        headers = {"Idempotency-Key": "k", "X-Request-Id": request_id}
        answer = await house.http.post("/v1/vips", json={"name": "v", **body}, headers=headers)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        shown = await house.http.get(f"/v1/vips/{made['id']}")
        assert shown.json() == made
        told = (await house.http.get("/v1/events", params={"request_id": request_id})).json()
        events = sorted(bare({**event, "request_id": ""}) for event in told["items"])
        kept = await house.scalar("DELETE FROM stored_answer RETURNING headers")
        headed = sorted({**answer.headers, "x-request-id": ""}.items())
        marks = await house.scalar("SELECT count(*) FROM mark WHERE listener_id IS NOT NULL")
        changes = await house.scalar(CHANGES)
        await house.http.delete(f"/v1/vips/{made['id']}?cascade=true")
        for used in made["listeners"]:
            await house.http.delete(f"/v1/pools/{used['pool_id']}")
        await house.scalar("DELETE FROM change RETURNING 1")
        return [bare(made), *events, bare(kept), bare(headed), str((marks, changes))]

    in_one_statement = await left_by("one")
    assert len(house.seen) == 1
    through_a_session(house, monkeypatch)
    assert await left_by("two") == in_one_statement
    assert len(house.seen) == 1


async def test_a_whole_vip_is_one_statement_however_much_it_holds(house: House) -> None:
    await house.http.post("/v1/vips", json={"name": "first"})
    members = [f"10.0.20.{n}" for n in range(1, 40)]
    body = {"name": "v", "listeners": [listener("a", 80, *members), listener("b", 81)]}
    house.seen.clear()

    with counting(house.runtime.database) as others:
        answer = await house.http.post("/v1/vips", json=body, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 201
    assert (len(house.seen), others) == (1, [])


async def test_under_a_quota_it_waits_its_turn_in_one_statement_more(house: House) -> None:
    await house.admin.patch(f"/v1/tenants/{house.tenant}", json={"quotas": {"vips": 5}})
    await house.http.post("/v1/vips", json={"name": "first"})
    house.seen.clear()

    with counting(house.runtime.database) as others:
        await house.http.post("/v1/vips", json={"name": "second"})

    control = ("BEGIN;", "COMMIT;")
    assert len([query for query in house.seen if query not in control]) == 2
    assert others == []


async def test_the_last_of_a_quota_is_had_once_by_many_who_ask_at_once(house: House) -> None:
    await house.admin.patch(f"/v1/tenants/{house.tenant}", json={"quotas": {"vips": 5}})

    answers = await asyncio.gather(
        *(house.http.post("/v1/vips", json={"name": f"v{n}"}) for n in range(12))
    )

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 7
    refused = {answer.json()["type"] for answer in answers if answer.is_error}
    assert refused == {"/errors/quota-exceeded"}


async def test_every_address_is_had_once_and_then_none_is_left(house: House) -> None:
    answers = await asyncio.gather(
        *(house.http.post("/v1/vips", json={"name": f"v{n}"}) for n in range(20))
    )

    had = [answer.json()["address"] for answer in answers if answer.status_code == 201]
    assert (len(had), len(set(had))) == (16, 16)
    refused = {answer.json()["type"] for answer in answers if answer.is_error}
    assert refused == {"/errors/pool-exhausted"}


async def test_what_is_remembered_of_the_tenant_does_not_outlive_its_change(house: House) -> None:
    path, body = f"/v1/tenants/{house.tenant}", {"listeners": [WEB]}
    assert (await house.http.post("/v1/vips", json={"name": "a", **body})).status_code == 201

    await house.admin.patch(path, json={"backend_prefixes": ["10.0.20.0/24", "10.9.0.0/16"]})
    assert (await house.http.post("/v1/vips", json={"name": "b", **body})).status_code == 201
    far = {"name": "c", "listeners": [listener("a", 1, "10.9.0.1")]}
    assert (await house.http.post("/v1/vips", json=far)).status_code == 201

    await house.admin.patch(path, json={"admin_state": "suspended"})
    answer = await house.http.post("/v1/vips", json={"name": "d", **body})
    assert (answer.status_code, answer.json()["type"]) == (403, "/errors/suspended")


async def test_what_is_remembered_of_the_address_pool_does_not_outlive_its_change(
    house: House,
) -> None:
    other = await house.made("/v1/tenants", name="other")
    assert (await house.http.post("/v1/vips", json={"name": "a"})).status_code == 201

    change = {"tenant_ids": [other["id"]]}
    await house.admin.patch(f"/v1/address-pools/{house.pool}", json=change)
    answer = await house.http.post("/v1/vips", json={"name": "b"})

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == "/family"


async def test_a_name_that_is_taken_is_refused_and_costs_no_number(house: House) -> None:
    body = {"name": "v", "listeners": [WEB]}
    await house.http.post("/v1/vips", json=body)
    free = await house.scalar(FREE)

    answer = await house.http.post("/v1/vips", json=body)

    assert (answer.status_code, answer.json()["type"]) == (409, "/errors/name-taken")
    assert await house.scalar(FREE) == free


async def test_without_a_mark_left_nothing_is_written(empty: House) -> None:
    await empty.settle(first=1000, last=1001)
    await empty.http.post("/v1/vips", json={"name": "a", "listeners": [listener("a", 80)]})
    free = await empty.scalar(FREE)

    two = [listener("a", 80), listener("b", 81)]
    answer = await empty.http.post("/v1/vips", json={"name": "b", "listeners": two})

    assert (answer.status_code, answer.json()["type"]) == (409, "/errors/marks-exhausted")
    assert await empty.scalar(FREE) == free
    assert await empty.scalar("SELECT count(*) FROM pool") == 1


async def test_of_many_with_one_key_one_is_done_and_all_are_told_the_same(house: House) -> None:
    body, key = {"name": "v", "listeners": [WEB]}, {"Idempotency-Key": "k"}

    answers = await asyncio.gather(
        *(house.http.post("/v1/vips", json=body, headers=key) for _ in range(8))
    )
    again = await house.http.post("/v1/vips", json=body, headers=key)

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.content for answer in answers if answer.status_code == 201} == {again.content}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["ETag"] == '"1"'
    assert await house.scalar("SELECT count(*) FROM vip") == 1
    other = await house.http.post("/v1/vips", json={"name": "w"}, headers=key)
    assert other.json()["type"] == "/errors/key-reused"


async def test_a_request_that_takes_both_ways_is_counted_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(house.runtime.rates, "count", counted.append)

    refused = await house.http.post("/v1/vips", json={"name": "v", "size": 3})
    made = await house.http.post("/v1/vips", json={"name": "v"})

    assert (refused.status_code, made.status_code) == (422, 201)
    assert len(counted) == 2


async def test_a_postgres_that_goes_away_meanwhile_is_told_and_nothing_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("the connection was closed")

    monkeypatch.setattr(house.runtime.whole_vips, "create", lost)

    answer = await house.http.post("/v1/vips", json={"name": "v"})

    assert (answer.status_code, answer.json()["type"]) == (503, "/errors/database-busy")
    assert await house.scalar("SELECT count(*) FROM vip") == 0


async def test_a_bearer_that_nobody_can_look_up_is_told_that_postgres_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(house.runtime.tokens, "caller", away)

    answer = await house.http.post("/v1/vips", json={"name": "v"})

    assert (answer.status_code, answer.json()["type"]) == (503, "/errors/database-busy")
