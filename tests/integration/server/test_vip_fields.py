"""What a VIP and its listener say of clients, of the last member's failure, and of BGP."""

from typing import Any

import pytest

from .conftest import Json, Site, cluster_state, fetch, listener, unique
from .test_resources import refusal, vip_body

FIELDS = {
    "allowed_sources": ["192.0.2.0/24", "203.0.113.7/32"],
    "new_connections_per_source": 20,
    "when_no_backend": "reject",
}


def test_every_field_is_kept_shown_changed_and_compiled(site: Site) -> None:
    member = site.member()
    vip = member.post("/v1/vips", vip_body(site, listener("a", 80, "10.0.20.1")))
    assert (vip["allowed_sources"], vip["new_connections_per_source"]) == ([], None)
    assert vip["when_no_backend"] == "send_to_all"
    agent = site.node()
    held = fetch(agent)
    assert cluster_state(held).admissions == ()

    changed = member.patch(f"/v1/vips/{vip['id']}", FIELDS)
    assert {name: changed[name] for name in FIELDS} == FIELDS
    state = cluster_state(held := fetch(agent, held))
    [admission] = state.admissions
    assert [str(prefix) for prefix in admission.sources[0]] == FIELDS["allowed_sources"]
    assert admission.new_connections_per_source == 20
    assert state.services[0].when_no_backend == "reject"

    bare: Json = {"allowed_sources": [], "new_connections_per_source": None}
    member.patch(f"/v1/vips/{vip['id']}", bare)
    assert cluster_state(fetch(agent, held)).admissions == ()
    made = member.post("/v1/vips", vip_body(site, **FIELDS))
    assert {name: made[name] for name in FIELDS} == FIELDS


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"allowed_sources": ["2001:db8::/32"]}, "/allowed_sources/0"),
        ({"allowed_sources": ["192.0.2.1/24"]}, "/allowed_sources/0"),
        ({"allowed_sources": ["0.0.0.0/0"] * 2}, "/allowed_sources"),
        (
            {"allowed_sources": [f"10.0.{n // 256}.{n % 256}/32" for n in range(1001)]},
            "/allowed_sources",
        ),
        ({"new_connections_per_source": 0}, "/new_connections_per_source"),
        ({"when_no_backend": "hope"}, "/when_no_backend"),
        ({"communities": ["65001:1"]}, "/communities"),
    ],
)
def test_what_can_not_be_is_refused_by_field(site: Site, fields: Json, pointer: str) -> None:
    member = site.member()
    vip = member.post("/v1/vips", vip_body(site))

    for method, path, body in (
        ("POST", "/v1/vips", vip_body(site, **fields)),
        ("PATCH", f"/v1/vips/{vip['id']}", fields),
    ):
        problem = refusal(member, method, path, body)
        assert problem["status"] == 422
        assert problem["problems"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "community", ["65536:1", "1:65536", "1", "1:2:3:4", "01:2", "a:b", "1:2:4294967296"]
)
def test_what_is_no_community_is_refused(site: Site, community: str) -> None:
    path = f"/v1/address-pools/{site.v4['id']}"
    problem = refusal(site.admin, "PATCH", path, {"communities": [community]})

    assert problem["problems"][0]["pointer"] == "/communities/0"


def test_a_vip_is_announced_with_its_own_communities_and_its_pools(site: Site) -> None:
    member = site.member()
    vip = member.post("/v1/vips", vip_body(site, listener("a")))
    agent = site.node()
    held = fetch(agent)
    assert cluster_state(held).communities == {}

    site.admin.patch(f"/v1/address-pools/{site.v4['id']}", {"communities": ["65001:80", "1:2:3"]})
    site.admin.patch(f"/v1/vips/{vip['id']}", {"communities": ["65001:7", "65001:80"]})
    [(prefix, communities)] = cluster_state(fetch(agent, held)).communities.items()
    assert str(prefix) == f"{vip['address']}/32"
    assert communities == ("1:2:3", "65001:7", "65001:80")

    shown = member.get(f"/v1/vips/{vip['id']}")
    assert shown["communities"] == ["65001:7", "65001:80"]
    member.patch(f"/v1/vips/{vip['id']}", {"communities": shown["communities"]})  # as it is


def test_a_listener_on_all_ports_leaves_none_to_others(site: Site) -> None:
    member = site.member()
    whole = {**listener("all"), "ports": [], "all_ports": True}
    vip = member.post("/v1/vips", vip_body(site, whole))
    [entry] = vip["listeners"]
    assert (entry["ports"], entry["all_ports"]) == ([], True)
    [flow] = cluster_state(fetch(site.node())).flows
    assert (flow.ports.first, flow.ports.last) == (1, 65535)

    more = {
        "vip_id": vip["id"],
        "name": "more",
        "protocol": "tcp",
        "ports": [{"first": 80}],
        "pool_id": entry["pool_id"],
    }
    problem = refusal(member, "POST", "/v1/listeners", more)
    assert problem["type"] == "/errors/ports-overlap"
    assert "ports 80 to 80" in problem["detail"]

    path = f"/v1/listeners/{entry['id']}"
    assert refusal(member, "PATCH", path, {"all_ports": False})["status"] == 422
    some = member.patch(path, {"ports": [{"first": 443}]})
    assert (some["ports"], some["all_ports"]) == ([{"first": 443, "last": 443}], False)
    member.post("/v1/listeners", more)
    late = refusal(member, "PATCH", path, {"all_ports": True})
    assert late["type"] == "/errors/ports-overlap"


@pytest.mark.parametrize("ports", [{"ports": []}, {"ports": [{"first": 1}], "all_ports": True}])
def test_a_listener_says_either_ports_or_all(site: Site, ports: dict[str, Any]) -> None:
    body = vip_body(site, {**listener("a"), **ports})

    problem = refusal(site.member(), "POST", "/v1/vips", body)

    assert problem["problems"][0]["pointer"] == "/listeners/0/ports"


def test_a_listeners_own_sources_narrow_those_of_its_vip(site: Site) -> None:
    member = site.member()
    inline = listener("a", 80, "10.0.20.1", allowed_sources=["192.0.2.0/25"])
    vip = member.post("/v1/vips", vip_body(site, inline, allowed_sources=["192.0.2.0/24"]))

    assert vip["listeners"][0]["allowed_sources"] == ["192.0.2.0/25"]
    [admission] = cluster_state(fetch(site.node())).admissions
    assert [list(map(str, each)) for each in admission.sources] == [
        ["192.0.2.0/24"],
        ["192.0.2.0/25"],
    ]
    six = {**inline, "name": unique("l"), "allowed_sources": ["2001:db8::/32"]}
    problem = refusal(member, "POST", "/v1/vips", vip_body(site, six))
    assert problem["problems"][0]["pointer"] == "/listeners/0/allowed_sources/0"
