"""The habits of every write: idempotency keys, entity tags, dry runs."""

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import func, select, text, update

from lbaas.persistence.database import Database
from lbaas.persistence.models import StoredAnswer
from lbaas.services import idempotency
from lbaas.services.tokens import parse_secret

from .conftest import LiveServer, Site, listener, unique


def http_as(site: Site, role: str = "member") -> httpx.Client:
    bearer = {"tenant_id": site.tenant["id"]} if role == "member" else {}
    return site.client(role, **bearer)._http


@pytest.fixture
def http(site: Site) -> httpx.Client:
    return http_as(site)


@pytest.fixture
def operator(site: Site) -> httpx.Client:
    return http_as(site, "admin")


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def names(http: httpx.Client, path: str = "/v1/pools") -> list[str]:
    return [entry["name"] for entry in http.get(path).json()["items"]]


class TestIdempotencyKey:
    def test_the_same_post_twice_is_one_object_and_one_answer(self, http: httpx.Client) -> None:
        body, key = {"name": unique("p")}, keyed(unique("key"))

        first = http.post("/v1/pools", json=body, headers=key)
        second = http.post("/v1/pools", json=body, headers=key)

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.content == second.content
        assert second.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        for header in ("ETag", "LBaaS-Revision", "Content-Type"):
            assert first.headers[header] == second.headers[header]
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
        assert names(http) == [body["name"]]

    def test_spacing_and_order_of_the_json_do_not_matter(self, http: httpx.Client) -> None:
        name, key = unique("p"), keyed(unique("key")) | {"Content-Type": "application/json"}

        one = http.post("/v1/pools", content=f'{{"name":"{name}","scheduler":"mh"}}', headers=key)
        two = http.post(
            "/v1/pools", content=f'{{"scheduler": "mh", "name": "{name}"}}', headers=key
        )

        assert one.json()["id"] == two.json()["id"]

    def test_another_body_or_path_with_the_key_is_refused(self, http: httpx.Client) -> None:
        key = keyed(unique("key"))
        http.post("/v1/pools", json={"name": unique("p")}, headers=key)

        other_body = http.post("/v1/pools", json={"name": unique("p")}, headers=key)
        other_path = http.post("/v1/vips", json={"name": unique("v")}, headers=key)

        for answer in (other_body, other_path):
            assert answer.status_code == 422
            assert answer.json()["type"] == "/errors/key-reused"

    def test_a_refused_request_may_be_put_right_under_its_key(self, http: httpx.Client) -> None:
        key = keyed(unique("key"))
        bad = http.post("/v1/pools", json={"name": "a b"}, headers=key)
        good = http.post("/v1/pools", json={"name": unique("p")}, headers=key)

        assert (bad.status_code, good.status_code) == (422, 201)

    def test_tenants_do_not_share_keys_but_a_tenants_tokens_do(self, site: Site) -> None:
        body, key = {"name": unique("p")}, keyed(unique("key"))
        first, second = http_as(site), http_as(site)
        other = site.admin.post("/v1/tenants", {"name": unique("t")})
        stranger = site.client("member", tenant_id=other["id"])._http

        made = [client.post("/v1/pools", json=body, headers=key) for client in (first, second)]
        foreign = stranger.post("/v1/pools", json=body, headers=key)

        assert made[0].json() == made[1].json()
        assert foreign.status_code == 201
        assert foreign.json()["id"] != made[0].json()["id"]

    def test_sixteen_at_once_make_one_object(self, http: httpx.Client) -> None:
        body, key = {"name": unique("p")}, keyed(unique("key"))
        start = threading.Barrier(16)

        def post(_: int) -> httpx.Response:
            start.wait()
            return http.post("/v1/pools", json=body, headers=key)

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(post, range(16)))

        made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
        waiting = [answer for answer in answers if answer.status_code != 201]
        assert len(set(made)) == 1
        assert {answer.json()["type"] for answer in waiting} <= {"/errors/in-flight"}
        assert all(answer.headers["Retry-After"] == "1" for answer in waiting)
        assert names(http) == [body["name"]]

    @pytest.mark.anyio
    async def test_a_key_in_use_is_answered_at_once(
        self, server: LiveServer, site: Site, http: httpx.Client
    ) -> None:
        body, key = {"name": unique("p")}, unique("key")
        claim = idempotency.Claim(
            f"tenant:{site.tenant['id']}",
            hashlib.sha256(key.encode()).digest(),
            b"",
            b"",
        )
        database = Database(server.dsn)
        async with database.session() as session:
            await session.execute(idempotency._LOCK, {"number": idempotency.lock_number(claim)})
            answer = await asyncio.to_thread(http.post, "/v1/pools", json=body, headers=keyed(key))
        await database.close()

        assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
        assert answer.json()["type"] == "/errors/in-flight"

    def test_a_token_is_answered_again_but_its_secret_is_not_in_the_database(
        self, site: Site, operator: httpx.Client
    ) -> None:
        body, key = {"name": "t", "role": "admin"}, keyed(unique("key"))

        first = operator.post("/v1/tokens", json=body, headers=key)
        second = operator.post("/v1/tokens", json=body, headers=key)

        assert first.json() == second.json()
        secret = parse_secret(first.json()["token"]).secret
        assert secret not in _every_stored_answer(site.server)

    @pytest.mark.anyio
    async def test_answers_are_kept_for_a_day(self, database: Database) -> None:
        async with database.session() as session:
            for key, age in ((b"young", "23 hours"), (b"old", "25 hours")):
                session.add(
                    StoredAnswer(
                        bearer="b",
                        key_sha256=key,
                        request_sha256=b"",
                        status=201,
                        headers={},
                        body=b"",
                        sealed=False,
                    )
                )
                await session.flush()
                aged = update(StoredAnswer).where(StoredAnswer.key_sha256 == key)
                await session.execute(
                    aged.values(created_at=func.now() - text(f"interval '{age}'"))
                )
            await idempotency.forget_old(session)
            kept = list(await session.scalars(select(StoredAnswer.key_sha256)))

        assert kept == [b"young"]


def _every_stored_answer(server: LiveServer) -> str:
    async def read() -> str:
        connection = await asyncpg.connect(server.dsn)
        rows = await connection.fetch("SELECT encode(body, 'escape') AS body FROM stored_answer")
        await connection.close()
        return "\n".join(row["body"] for row in rows)

    return asyncio.run(read())


class TestEntityTags:
    def test_a_change_with_the_present_tag_succeeds_and_with_an_old_one_fails(
        self, http: httpx.Client
    ) -> None:
        made = http.post("/v1/pools", json={"name": unique("p")})
        path, tag = f"/v1/pools/{made.json()['id']}", made.headers["ETag"]
        assert http.get(path).headers["ETag"] == tag

        changed = http.patch(path, json={"name": unique("p")}, headers={"If-Match": tag})
        late = http.patch(path, json={"name": unique("p")}, headers={"If-Match": tag})

        assert changed.status_code == 200
        assert changed.headers["ETag"] not in ("", tag)
        assert late.status_code == 412
        assert late.json()["type"] == "/errors/changed-meanwhile"
        assert http.get(path).json() == changed.json()
        assert http.delete(path, headers={"If-Match": tag}).status_code == 412
        assert http.delete(path, headers={"If-Match": changed.headers["ETag"]}).status_code == 204

    @pytest.mark.parametrize(
        ("tags", "status"),
        [("*", 200), ('"7", "1"', 200), ('W/"1"', 412), ('"7"', 412), ("1", 412)],
    )
    def test_tags_are_compared_strongly(self, http: httpx.Client, tags: str, status: int) -> None:
        made = http.post("/v1/pools", json={"name": unique("p")}).json()

        answer = http.patch(
            f"/v1/pools/{made['id']}", json={"scheduler": "sh"}, headers={"If-Match": tags}
        )

        assert answer.status_code == status

    def test_a_vips_tag_covers_its_listeners(self, site: Site, http: httpx.Client) -> None:
        body = {
            "name": unique("v"),
            "address_pool_id": site.v4["id"],
            "listeners": [listener("a", 80)],
        }
        made = http.post("/v1/vips", json=body)
        entry = made.json()["listeners"][0]

        http.patch(f"/v1/listeners/{entry['id']}", json={"ports": [{"first": 81}]})
        path = f"/v1/vips/{made.json()['id']}?cascade=true"

        assert http.delete(path, headers={"If-Match": made.headers["ETag"]}).status_code == 412
        now = http.get(f"/v1/vips/{made.json()['id']}").headers["ETag"]
        assert http.delete(path, headers={"If-Match": now}).status_code == 204

    def test_an_agents_report_changes_no_tag(self, site: Site, operator: httpx.Client) -> None:
        path = f"/v1/nodes/{site.nodes[0]['id']}"
        tag = operator.get(path).headers["ETag"]
        report: dict[str, Any] = {
            "boot": "0192f1a0-6d5c-7a77-a1f4-1b1d3a3c8f10",
            "sequence": 1,
            "revision": 5,
            "digest": "d" * 64,
            "changes": 0,
            "repaired": 0,
            "failures": [],
        }

        site.node().post("/v1/agent/report", report)

        assert operator.get(path).json()["applied_revision"] == 5
        assert operator.get(path).headers["ETag"] == tag

    def test_of_many_writers_with_one_tag_one_succeeds(self, http: httpx.Client) -> None:
        made = http.post("/v1/pools", json={"name": unique("p")})
        path, tag = f"/v1/pools/{made.json()['id']}", made.headers["ETag"]

        def patch(number: int) -> int:
            body = {"name": unique(f"p{number}")}
            return http.patch(path, json=body, headers={"If-Match": tag}).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(patch, range(8)))

        assert statuses == [200] + [412] * 7


class TestDryRun:
    def test_a_create_is_answered_and_not_done(self, site: Site, http: httpx.Client) -> None:
        body = {
            "name": unique("v"),
            "address_pool_id": site.v4["id"],
            "listeners": [listener("a", 80, "10.0.20.1")],
        }

        plan = http.post("/v1/vips?dry_run=true", json=body, headers=keyed("dry"))

        assert (plan.status_code, plan.headers["LBaaS-Dry-Run"]) == (200, "true")
        assert plan.json()["address"].startswith("198.51.100.")
        assert "LBaaS-Revision" not in plan.headers
        assert names(http, "/v1/vips") == names(http) == []
        assert http.post("/v1/vips", json=body, headers=keyed("dry")).status_code == 201

    def test_what_would_be_refused_is_refused(self, http: httpx.Client) -> None:
        body = {"name": unique("p"), "members": [{"address": "10.9.9.9"}]}

        assert http.post("/v1/pools?dry_run=true", json=body).status_code == 422

    def test_a_name_that_is_taken_is_found_out(self, http: httpx.Client) -> None:
        body = {"name": unique("p")}
        http.post("/v1/pools", json=body)

        answer = http.post("/v1/pools?dry_run=true", json=body)

        assert answer.json()["type"] == "/errors/name-taken"

    def test_a_patch_shows_what_would_be(self, http: httpx.Client) -> None:
        made = http.post("/v1/pools", json={"name": unique("p")})
        path = f"/v1/pools/{made.json()['id']}"

        plan = http.patch(f"{path}?dry_run=true", json={"scheduler": "sh"})

        assert plan.json()["scheduler"] == "sh"
        assert http.get(path).json() == made.json()
        assert http.get(path).headers["ETag"] == made.headers["ETag"]

    def test_a_cascading_delete_lists_what_would_go(self, site: Site, http: httpx.Client) -> None:
        body = {
            "name": unique("v"),
            "address_pool_id": site.v4["id"],
            "listeners": [listener("a", 80), listener("b", 81)],
        }
        vip = http.post("/v1/vips", json=body).json()
        path = f"/v1/vips/{vip['id']}"

        plan = http.delete(f"{path}?cascade=true&dry_run=true")

        assert plan.status_code == 200
        removed = [(one["kind"], one["name"]) for one in plan.json()["removes"]]
        assert removed == [("listener", "a"), ("listener", "b"), ("vip", body["name"])]
        assert http.get(path).json() == vip
        assert http.delete(f"{path}?dry_run=true").status_code == 409


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/vips?nmae=a"), ("POST", "/v1/pools?dryrun=true"), ("GET", "/v1/clusters?limt=1")],
)
def test_a_parameter_that_does_not_exist_is_refused(
    operator: httpx.Client, method: str, path: str
) -> None:
    answer = operator.request(method, path, json={} if method == "POST" else None)

    assert answer.status_code == 422
    unknown = path.partition("?")[2].partition("=")[0]
    assert answer.json()["problems"] == [{"parameter": unknown, "detail": "unknown"}]
