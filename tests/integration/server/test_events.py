"""The audit trail of a live server."""

import json
from typing import Any

import httpx
import pytest

from lbaas.client.api import ApiClient
from lbaas.services.tokens import parse_secret

from .conftest import Json, Site, listener, unique


def events(client: ApiClient, **which: str) -> list[Json]:
    found: list[Json] = client.get("/v1/events", limit=1000, **which)["items"]
    return found


def deeds(found: list[Json]) -> list[tuple[str, str, str]]:
    return [(event["action"], event["kind"], event["object_name"]) for event in found]


def test_one_request_tells_of_each_object_that_it_made(site: Site) -> None:
    member = site.member()
    body = {
        "name": unique("v"),
        "address_pool_id": site.v4["id"],
        "listeners": [listener("a", 80, "10.0.20.1", "10.0.20.2")],
    }

    made = member._http.post("/v1/vips", json=body, headers={"X-Request-Id": "mine-1"})

    found = events(member, request_id="mine-1", object_id=made.json()["id"])
    assert deeds(found) == [("create", "vip", body["name"])]
    assert found[0]["after"]["address"] == made.json()["address"]
    assert found[0]["before"] is None
    assert found[0]["actor"].startswith("token:")
    assert (found[0]["actor_name"], found[0]["role"]) == ("t", "member")
    whole = sorted(deeds(events(member, request_id="mine-1"))[-5:])
    assert whole == sorted(
        [
            ("create", "vip", body["name"]),
            ("create", "pool", f"{body['name']}-a"),
            ("create", "member", "10.0.20.1"),
            ("create", "member", "10.0.20.2"),
            ("create", "listener", "a"),
        ]
    )


def test_a_change_shows_what_was_and_what_is(site: Site) -> None:
    member = site.member()
    pool = member.post("/v1/pools", {"name": unique("p")})

    member.patch(f"/v1/pools/{pool['id']}", {"scheduler": "sh", "name": pool["name"]})
    member.delete(f"/v1/pools/{pool['id']}")

    created, updated, deleted = events(member, object_id=pool["id"])
    assert created["after"]["name"] == pool["name"]
    assert (updated["before"], updated["after"]) == ({"scheduler": "mh"}, {"scheduler": "sh"})
    assert deleted["before"]["scheduler"] == "sh"
    assert deleted["after"] is None


def test_what_is_refused_or_changes_nothing_or_is_only_planned_is_no_event(site: Site) -> None:
    member = site.member()
    pool = member.post("/v1/pools", {"name": unique("p")})
    before = len(events(member))

    member.patch(f"/v1/pools/{pool['id']}", {"name": pool["name"]})
    member._http.post("/v1/pools", json={"name": pool["name"]})
    member._http.patch(f"/v1/pools/{pool['id']}?dry_run=true", json={"scheduler": "sh"})
    site.node()._http.post("/v1/agent/report", json={})

    assert len(events(member)) == before


def test_a_repeated_post_is_one_event(site: Site) -> None:
    member = site.member()
    body, key = {"name": unique("p")}, {"Idempotency-Key": unique("k")}
    for _ in range(2):
        made = member._http.post("/v1/pools", json=body, headers=key).json()

    assert len(events(member, object_id=made["id"])) == 1


def test_secrets_are_in_no_event(site: Site) -> None:
    admin = site.admin
    peer = {
        "cluster_id": site.cluster["id"],
        "name": unique("r"),
        "address": "10.0.10.1",
        "as_number": 65000,
        "password": "pass-one",
    }
    made = admin.post("/v1/peers", peer)
    admin.patch(f"/v1/peers/{made['id']}", {"password": "pass-two"})
    admin.patch(f"/v1/peers/{made['id']}", {"password": None})
    token = admin.post("/v1/tokens", {"name": "t", "role": "admin"})

    told = events(admin, object_id=made["id"]) + events(admin, object_id=token["id"])

    assert len(told) == 4
    assert told[1]["after"] == {"password": "(secret)"}
    assert told[2]["after"] == {"password": None}
    text = json.dumps(told)
    assert "pass-" not in text
    assert parse_secret(token["token"]).secret not in text


def test_a_tenant_sees_its_own_events_only(site: Site) -> None:
    other = site.admin.post("/v1/tenants", {"name": unique("t")})
    stranger = site.client("member", tenant_id=other["id"])
    pool = site.member().post("/v1/pools", {"name": unique("p")})

    assert events(stranger, object_id=pool["id"]) == []
    assert {event["tenant_id"] for event in events(stranger)} == {other["id"]}


@pytest.mark.parametrize(
    ("which", "count"),
    [
        ({"action": "create"}, 3),
        ({"action": "delete"}, 0),
        ({"kind": "pool"}, 3),
        ({"kind": "vip"}, 0),
        ({"since": "2000-01-01T00:00:00Z"}, 3),
        ({"until": "2000-01-01T00:00:00Z"}, 0),
    ],
)
def test_events_are_filtered(site: Site, which: dict[str, str], count: int) -> None:
    member = site.member()
    since = site.tenant["created_at"]
    for _ in range(3):
        member.post("/v1/pools", {"name": unique("p")})

    found = [event for event in events(member, **which) if event["created_at"] > since]
    assert len([event for event in found if event["kind"] == "pool"]) == count


@pytest.mark.parametrize(
    "ask",
    [{"params": {"format": "ndjson"}}, {"headers": {"Accept": "application/x-ndjson"}}],
)
def test_the_export_has_the_events_of_the_pages_one_a_line(site: Site, ask: Any) -> None:
    member = site.member()
    for _ in range(3):
        member.post("/v1/pools", {"name": unique("p")})

    answer: httpx.Response = member._http.get("/v1/events", **ask)

    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == events(member)
