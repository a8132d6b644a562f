"""Usage over HTTP: reported by agents, asked for by tenants and operators, exported, reconciled."""

import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lbaas.client.api import ApiClient
from lbaas.client.problems import Invalid
from lbaas.errors import FieldProblem

from .conftest import Json, Site, listener, unique

HOST = "10.0.20.81"
HOUR_S = 3600


@dataclass
class Reporter:
    """An agent's meter, over HTTP. *begun_s* is ten minutes before an hour that is over."""

    api: ApiClient
    begun_s: int
    meter: str = field(default_factory=lambda: str(uuid4()))
    sequence: int = 0

    def report(self, *totals: Json, prefixes: tuple[Json, ...] = (), later_s: int = 0) -> Json:
        """What it counted in one minute is delivered."""
        self.sequence += 1
        begun_s = self.begun_s + later_s
        said = {
            "meter": self.meter,
            "sequence": self.sequence,
            "begun_s": begun_s,
            "ended_s": begun_s + 60,
            "totals": totals,
            "prefixes": prefixes,
        }
        return self.api.post("/v1/agent/usage", {"reports": [said]})


@dataclass
class Shop:
    """A tenant's VIP, its two nodes and one backend host."""

    site: Site
    vip: Json
    host: Json
    member: ApiClient
    node: Reporter
    other_node: Reporter
    at_host: Reporter

    def ingress(self, packets: int, **other: Any) -> Json:
        given = {"point": "node", "listener": self.vip["listeners"][0]["id"], "connections": 1}
        return {**given, "vip": self.vip["id"], **_volume(packets), **other}

    def at(self, point: str, packets: int) -> Json:
        return {"point": point, "vip": self.vip["id"], **_volume(packets)}

    def seen(self, prefix: str | None, packets: int, point: str = "node") -> Json:
        return {**self.at(point, packets), "prefix": prefix}

    def usage(self, api: ApiClient | None = None, **asked: Any) -> list[Json]:
        """All pages of the answer, from the hour before the reports' on."""
        given = {"from": _iso(self.node.begun_s - HOUR_S), **asked}
        found: list[Json] = []
        while True:
            page = (api or self.member).get("/v1/usage", **given)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            given["cursor"] = page["next_cursor"]


def _volume(packets: int) -> Json:
    return {"packets": packets, "bytes": 100 * packets}


def _iso(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


@pytest.fixture
def shop(site: Site) -> Iterator[Shop]:
    host = site.admin.post("/v1/backend-hosts", {"name": unique("h"), "addresses": [HOST]})
    begun_s = (int(time.time()) // HOUR_S - 1) * HOUR_S - 600
    try:
        vip = site.admin.post(
            "/v1/vips",
            {
                "name": unique("v"),
                "tenant_id": site.tenant["id"],
                "address_pool_id": site.v4["id"],
                "listeners": [listener("http", 80, HOST)],
            },
        )
        yield Shop(
            site,
            vip,
            host,
            site.member(),
            Reporter(site.node(0), begun_s),
            Reporter(site.node(1), begun_s),
            Reporter(site.client("host", host_id=host["id"]), begun_s),
        )
    finally:
        site.admin.delete(f"/v1/backend-hosts/{host['id']}")


def counts(found: list[Json], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(each[name] for name in names) for each in found]


def problem(api: ApiClient, **asked: Any) -> FieldProblem:
    with pytest.raises(Invalid) as refused:
        api.get("/v1/usage", **asked)
    return refused.value.problems[0]


def test_what_agents_report_is_shown_by_vip_and_direction(shop: Shop) -> None:
    answer = shop.node.report(shop.ingress(3))
    shop.other_node.report(shop.ingress(4))
    shop.at_host.report(shop.at("tunnel", 7), shop.at("reply", 20))

    found = shop.usage()

    assert answer == {"meter": shop.node.meter, "sequence": 1}
    assert counts(found, "direction", "packets", "bytes", "connections") == [
        ("ingress", 7, 700, 2),
        ("egress", 20, 2000, 0),
    ]
    assert {(each["vip_id"], each["vip"], each["address"]) for each in found} == {
        (shop.vip["id"], shop.vip["name"], shop.vip["address"])
    }
    assert {(each["tenant_id"], each["prefix"]) for each in found} == {(None, None)}


@pytest.mark.parametrize("granularity", ["minute", "hour", "day", "month"])
def test_every_granularity_has_the_same_sum(shop: Shop, granularity: str) -> None:
    for later_s in (0, 60, 300, 900, 1200):  # over the end of the hour
        shop.node.report(shop.ingress(5), later_s=later_s)

    found = shop.usage(granularity=granularity, group_by="total")

    assert sum(each["packets"] for each in found) == 25
    assert len(found) == {"minute": 5, "hour": 2}.get(granularity, len(found))
    assert all(each["begun_at"] < each["ended_at"] for each in found)


def test_usage_is_told_apart_by_what_is_asked(shop: Shop) -> None:
    shop.node.report(shop.ingress(1), shop.ingress(2, listener=None))
    shop.at_host.report(shop.at("reply", 4))

    by_listener = shop.usage(group_by="listener")
    by_tenant = shop.usage(shop.site.admin, group_by="tenant", tenant_id=shop.site.tenant["id"])

    assert counts(by_listener, "listener", "packets") == [(None, 6), ("http", 1)]
    assert counts(by_tenant, "tenant", "packets") == [(shop.site.tenant["name"], 7)]
    assert counts(shop.usage(group_by="total", direction="egress"), "packets") == [(4,)]
    listener_id = shop.vip["listeners"][0]["id"]
    assert counts(shop.usage(group_by="total", listener_id=listener_id), "packets") == [(1,)]
    assert shop.usage(vip_id=str(uuid4())) == []


def test_clients_are_told_apart_by_prefix(shop: Shop) -> None:
    seen = (shop.seen("192.0.2.0/24", 1), shop.seen("192.0.3.0/24", 2), shop.seen(None, 4))
    shop.node.report(prefixes=seen)
    shop.at_host.report(prefixes=(shop.seen("192.0.2.0/24", 8, "reply"),))

    assert counts(shop.usage(group_by="prefix,direction"), "prefix", "direction", "packets") == [
        ("others", "ingress", 4),
        ("192.0.2.0/24", "ingress", 1),
        ("192.0.3.0/24", "ingress", 2),
        ("192.0.2.0/24", "egress", 8),
    ]
    inside = shop.usage(group_by="total", prefix="192.0.2.0/23", direction="ingress")
    assert counts(inside, "packets", "connections") == [(3, None)]


def test_pages_hold_each_sum_once(shop: Shop) -> None:
    for later_s in (0, 60, 240, 300, 1200):
        shop.node.report(shop.ingress(1), shop.ingress(1, listener=None), later_s=later_s)
    asked: Json = {"granularity": "minute", "group_by": "vip,listener,direction"}

    whole = shop.usage(**asked)

    assert len(whole) == 10
    for limit in (1, 3, 9, 10):
        assert shop.usage(limit=limit, **asked) == whole
    cursor = shop.member.get("/v1/usage", **asked, limit=1)["next_cursor"]
    assert problem(shop.member, cursor=cursor).parameter == "cursor"


@pytest.mark.parametrize("ask", ["format", "accept"])
def test_exports_have_all_that_the_pages_have(shop: Shop, ask: str) -> None:
    for later_s in (0, 60, 300):
        shop.node.report(shop.ingress(1), later_s=later_s)
    asked: Json = {"from": _iso(shop.node.begun_s), "granularity": "minute"}
    whole = shop.usage(**asked)

    def export(form: str, media_type: str) -> httpx.Response:
        params = {**asked, "limit": "1"} | ({"format": form} if ask == "format" else {})
        headers = {"Accept": media_type} if ask == "accept" else {}
        answer = shop.member._http.get("/v1/usage", params=params, headers=headers)
        assert answer.headers["Content-Type"].startswith(media_type)
        return answer

    lines = export("ndjson", "application/x-ndjson").text.splitlines()
    rows = list(csv.DictReader(io.StringIO(export("csv", "text/csv").text)))

    assert [json.loads(line) for line in lines] == whole
    assert [{name: value or None for name, value in row.items()} for row in rows] == [
        {name: None if value is None else str(value) for name, value in each.items()}
        for each in whole
    ]


def test_questions_without_an_answer_are_refused_and_say_why(shop: Shop) -> None:
    ask = shop.member
    day_before = _iso(int(time.time()) - 30 * HOUR_S)
    old = _iso(int(time.time()) - 72 * HOUR_S)

    assert problem(
        ask, **{"from": "2024-01-02T00:00:00Z", "to": "2024-01-01T00:00:00Z"}
    ) == FieldProblem(parameter="from", detail="must be before 'to', and not in the future")
    assert problem(ask, **{"from": "2999-01-01T00:00:00Z"}).parameter == "from"
    assert "more than a day" in problem(ask, granularity="minute", **{"from": day_before}).detail
    too_old = {"from": old, "to": _iso(int(time.time()) - 70 * HOUR_S)}
    assert "26 hours" in problem(ask, granularity="minute", **too_old).detail
    assert "by the hour" in problem(ask, granularity="minute", group_by="prefix").detail
    assert "by VIP" in problem(ask, group_by="prefix,listener").detail
    assert "possible: tenant" in problem(ask, group_by="colour").detail
    assert problem(ask, cursor="nonsense").parameter == "cursor"


def test_a_tenant_sees_its_own_usage_only(shop: Shop) -> None:
    shop.node.report(shop.ingress(1))
    other = shop.site.admin.post("/v1/tenants", {"name": unique("t")})
    stranger = shop.site.client("member", tenant_id=other["id"])

    for asked in ({}, {"vip_id": shop.vip["id"]}, {"tenant_id": shop.site.tenant["id"]}):
        assert shop.usage(stranger, **asked) == []
        answer = stranger._http.get("/v1/usage", params={**asked, "format": "ndjson"})
        assert (answer.status_code, answer.text) == (200, "")
        assert stranger.get("/v1/usage/reconciliation", **asked)["items"] == []
    tenants = {each["tenant_id"] for each in shop.usage(group_by="tenant")}
    assert tenants == {shop.site.tenant["id"]}


def test_a_deleted_vip_is_billed_under_its_last_name(shop: Shop) -> None:
    shop.site.admin.vips.delete(shop.vip["id"], cascade=True)
    shop.node.report(shop.ingress(1))
    shop.at_host.report(shop.at("reply", 2))

    found = shop.usage(group_by="vip,listener,direction")

    assert counts(found, "vip", "address", "listener", "packets") == [
        (shop.vip["name"], shop.vip["address"], None, 2),
        (shop.vip["name"], shop.vip["address"], "http", 1),
    ]


def test_both_ends_are_reconciled(shop: Shop) -> None:
    shop.node.report(shop.ingress(60))
    shop.other_node.report(shop.ingress(40))
    shop.at_host.report(shop.at("tunnel", 98), shop.at("reply", 1000))

    answer = shop.member.get("/v1/usage/reconciliation", **{"from": _iso(shop.node.begun_s)})

    [vip] = answer["items"]
    assert (vip["ingress"]["packets"], vip["received"]["packets"]) == (100, 98)
    assert (vip["lost_packets"], vip["lost_percent"]) == (2, 2.0)
    assert (vip["egress_per_ingress"], vip["connections"]) == (10.0, 2)
    assert vip["findings"] == []
    assert answer["agents"] == []  # which are the operator's


@pytest.mark.parametrize(
    ("point", "kind"), [("reply", "answers_outside"), ("tunnel", "never_answers")]
)
def test_a_host_with_one_side_only_is_named(shop: Shop, point: str, kind: str) -> None:
    shop.at_host.report(shop.at(point, 5))
    asked = {"from": _iso(shop.node.begun_s), "vip_id": shop.vip["id"]}
    named: Json = {"host_id": shop.host["id"], "host": shop.host["name"]}

    for api, host in ((shop.site.admin, named), (shop.member, dict.fromkeys(named))):
        [vip] = api.get("/v1/usage/reconciliation", **asked)["items"]
        volume = {"packets": 5, "bytes": 500}
        assert vip["findings"] == [{"kind": kind, "addresses": [HOST], "volume": volume, **host}]


def test_where_hosts_are_reached_in_two_ways_nothing_is_compared(shop: Shop) -> None:
    body = {"name": unique("p"), "forwarding": "direct", "members": [{"address": HOST}]}
    pool = shop.member.post("/v1/pools", body)
    ports = {"protocol": "tcp", "ports": [{"first": 81}]}
    of_vip = {"vip_id": shop.vip["id"], "name": "direct", "pool_id": pool["id"]}
    shop.member.post("/v1/listeners", {**of_vip, **ports})
    shop.node.report(shop.ingress(5))
    shop.at_host.report(shop.at("reply", 5))

    [vip] = shop.member.get("/v1/usage/reconciliation", vip_id=shop.vip["id"])["items"]

    assert (vip["ingress"]["packets"], vip["egress"]["packets"]) == (5, 5)
    assert (vip["lost_packets"], vip["lost_percent"], vip["findings"]) == (None, None, [])


def test_an_operator_sees_which_agents_reports_are_missing_or_wrong(shop: Shop) -> None:
    shop.node.report(shop.ingress(1))
    shop.node.sequence = 4
    shop.node.report(shop.ingress(1), shop.ingress(1, vip=str(uuid4())))
    silent = shop.site.nodes[1]["id"]
    said = {"boot": str(uuid4()), "sequence": 1, "revision": 0, "digest": "", "changes": 0}
    shop.site.node(1).post("/v1/agent/report", {**said, "repaired": 0})

    answer = shop.site.admin.get("/v1/usage/reconciliation")
    agents = {each["agent_id"]: each for each in answer["agents"]}

    node = agents[shop.site.nodes[0]["id"]]
    assert [(gap["first"], gap["last"]) for gap in node["missing"]] == [(2, 4)]
    assert (node["state"], node["refused"], node["agent"]) == ("current", 1, "lb0")
    assert agents[silent]["state"] == "missing"


def test_reports_are_read_only_from_agents_and_may_be_large(shop: Shop) -> None:
    many = tuple(shop.seen(f"10.{n >> 8}.{n & 255}.0/24", 1) for n in range(12_000))
    shop.node.report(prefixes=many)
    assert sum(each["packets"] for each in shop.usage(group_by="prefix", limit=1000)) == 12_000

    stranger = shop.member._http.post("/v1/agent/usage", content=b"x" * (2 << 20))
    no_json = shop.node.api._http.post("/v1/agent/usage", content=b"x")
    headers = {"Content-Type": "application/json"}
    malformed = shop.node.api._http.post("/v1/agent/usage", content=b"x", headers=headers)
    wrong = shop.node.api._http.post("/v1/agent/usage", json={"reports": [{"meter": "x"}]})

    statuses = [answer.status_code for answer in (stranger, no_json, malformed, wrong)]
    assert statuses == [403, 415, 400, 422]
    assert wrong.json()["problems"][0]["pointer"] == "/reports/0/meter"
