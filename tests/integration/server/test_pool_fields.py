"""What a pool may be: alone, for the listeners that use it, in the clusters that they are in."""

from typing import Any

import pytest

from lbaas.client.api import ApiClient
from lbaas.wire.reading import Reader
from lbaas.wire.state import ClusterState, HostState, Tunnel

from .conftest import Json, LiveServer, Site, cluster_state, fetch, listener, make_site, unique
from .test_agents import make_host
from .test_resources import refusal, vip_body

WHOLE = {
    "scheduler": "sh",
    "forwarding": "tunnel",
    "encapsulation": "gue",
    "gue_port": 7000,
    "hash_ports": False,
    "persistence_s": 300,
    "persistence_prefix_v4": None,
    "persistence_prefix_v6": None,
    "one_packet": False,
    "drain_deadline_s": 60,
    "quorum": 2,
    "monitor": {
        "kind": "http",
        "target": "member",
        "port": 8080,
        "interval_s": 1.5,
        "timeout_s": 0.5,
        "rise": 1,
        "fall": 2,
        "http": {
            "method": "HEAD",
            "path": "/up",
            "host": "shop.example",
            "statuses": ["200", "300-302"],
            "body_contains": None,
        },
        "udp": None,
        "dns": None,
    },
}
TUNNEL = {"forwarding": "tunnel", "encapsulation": "ipip", "gue_port": None}


def pool_of(vip: Json) -> str:
    return f"/v1/pools/{vip['listeners'][0]['pool_id']}"


def serving(site: Site, *members: str, **pool: Any) -> Json:
    """A new VIP with a listener whose pool has these settings."""
    inline = listener("a", 80, *members)
    inline["pool"] |= pool
    return site.member().post("/v1/vips", vip_body(site, inline))


def compiled(site: Site) -> ClusterState:
    return cluster_state(fetch(site.node()))


def test_every_field_is_kept_shown_changed_and_compiled(site: Site) -> None:
    member = site.member()
    made = member.post("/v1/pools", {"name": unique("p"), **WHOLE})
    assert {name: made[name] for name in WHOLE} == WHOLE

    vip = serving(site, "10.0.20.1")
    changed = member.patch(pool_of(vip), WHOLE)
    assert {name: changed[name] for name in WHOLE} == WHOLE
    [service] = compiled(site).services
    assert service.tunnel == Tunnel(encapsulation="gue", port=7000)
    assert (service.affinity.hash_ports, service.affinity.persistence_s) == (False, 300)
    assert service.quorum == 2
    assert service.monitor is not None
    assert (service.monitor.interval_ms, service.monitor.timeout_ms) == (1500, 500)
    assert service.monitor.http is not None
    assert service.monitor.http.statuses == ((200, 200), (300, 302))

    bare = dict.fromkeys(("persistence_s", "drain_deadline_s", "monitor"))
    cleared = member.patch(pool_of(vip), {**bare, "encapsulation": "ipip", "hash_ports": True})
    assert {name: cleared[name] for name in (*bare, *TUNNEL)} == {**bare, **TUNNEL}
    [service] = compiled(site).services
    assert (service.tunnel, service.affinity.persistence_s, service.monitor) == (
        Tunnel(),
        None,
        None,
    )


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"encapsulation": "gue"}, {**TUNNEL, "encapsulation": "gue", "gue_port": 6080}),
        ({"encapsulation": "gre"}, {**TUNNEL, "encapsulation": "gre"}),
        ({"forwarding": "direct"}, {**TUNNEL, "forwarding": "direct", "encapsulation": None}),
    ],
)
def test_what_is_left_open_of_the_way_follows_what_is_said(
    site: Site, changes: Json, shown: Json
) -> None:
    member = site.member()
    made = member.post("/v1/pools", {"name": unique("p")})
    assert {name: made[name] for name in TUNNEL} == TUNNEL

    changed = member.patch(f"/v1/pools/{made['id']}", changes)
    assert {name: changed[name] for name in TUNNEL} == shown
    created = member.post("/v1/pools", {"name": unique("p"), **changes})
    assert {name: created[name] for name in TUNNEL} == shown
    plain = {"forwarding": "tunnel", "encapsulation": None}
    back = member.patch(f"/v1/pools/{made['id']}", plain)
    assert {name: back[name] for name in TUNNEL} == TUNNEL


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"forwarding": "direct", "encapsulation": "gre"}, "/encapsulation"),
        ({"gue_port": 6080}, "/gue_port"),
        ({"encapsulation": "gre", "gue_port": 6080}, "/gue_port"),
        ({"persistence_prefix_v4": 24}, "/persistence_prefix_v4"),
        ({"persistence_prefix_v6": 64}, "/persistence_prefix_v6"),
        ({"persistence_s": 60, "persistence_prefix_v4": 33}, "/persistence_prefix_v4"),
        ({"persistence_s": 60, "persistence_prefix_v6": 0}, "/persistence_prefix_v6"),
        ({"persistence_s": 60, "one_packet": True}, "/one_packet"),
        ({"persistence_s": 0}, "/persistence_s"),
        ({"drain_deadline_s": -1}, "/drain_deadline_s"),
        ({"quorum": 0}, "/quorum"),
        ({"monitor": {"kind": "tcp", "interval_s": 1, "timeout_s": 2}}, "/monitor/timeout_s"),
        ({"monitor": {"kind": "tcp", "interval_s": 0.01}}, "/monitor/interval_s"),
        ({"monitor": {"kind": "tcp", "fall": 0}}, "/monitor/fall"),
        ({"monitor": {"kind": "tcp", "http": {}}}, "/monitor/http"),
        ({"monitor": {"kind": "dns"}}, "/monitor/dns"),
        ({"monitor": {"kind": "icmp", "port": 80}}, "/monitor/port"),
        ({"monitor": {"kind": "udp", "udp": {"payload": "0"}}}, "/monitor/udp/payload"),
        ({"monitor": {"kind": "http", "http": {"path": "up"}}}, "/monitor/http/path"),
        ({"monitor": {"kind": "http", "http": {"path": "/a\r\nb"}}}, "/monitor/http/path"),
        (
            {"monitor": {"kind": "http", "http": {"statuses": ["299-200"]}}},
            "/monitor/http/statuses/0",
        ),
        ({"monitor": {"kind": "http", "http": {"statuses": [99]}}}, "/monitor/http/statuses/0"),
    ],
)
def test_what_contradicts_itself_is_refused_by_field(
    site: Site, settings: Json, pointer: str
) -> None:
    member = site.member()
    made = member.post("/v1/pools", {"name": unique("p")})

    for method, path, body in (
        ("POST", "/v1/pools", {"name": unique("p"), **settings}),
        ("PATCH", f"/v1/pools/{made['id']}", settings),
    ):
        problem = refusal(member, method, path, body)
        assert problem["status"] == 422
        assert problem["problems"][0]["pointer"] == pointer, problem


def test_one_packet_is_for_listeners_of_udp_only(site: Site) -> None:
    member = site.member()
    vip = serving(site)
    late = refusal(member, "PATCH", pool_of(vip), {"one_packet": True})
    assert late["problems"][0]["pointer"] == "/one_packet"

    inline = listener("a", 80)
    inline["pool"]["one_packet"] = True
    early = refusal(member, "POST", "/v1/vips", vip_body(site, inline))
    assert early["problems"][0]["pointer"] == "/listeners/0/pool/one_packet"
    made = member.post("/v1/vips", vip_body(site, {**inline, "protocol": "udp"}))
    using = {"name": "b", "protocol": "tcp", "ports": [{"first": 80}], "vip_id": made["id"]}
    using["pool_id"] = made["listeners"][0]["pool_id"]
    assert "udp only" in refusal(member, "POST", "/v1/listeners", using)["detail"]


def test_a_check_behind_all_ports_must_say_which(site: Site) -> None:
    member = site.member()
    inline = {**listener("a"), "ports": [], "all_ports": True}
    inline["pool"]["monitor"] = {"kind": "tcp"}
    early = refusal(member, "POST", "/v1/vips", vip_body(site, inline))
    assert early["problems"][0]["pointer"] == "/listeners/0/pool/monitor"

    inline["pool"]["monitor"]["port"] = 80
    vip = member.post("/v1/vips", vip_body(site, inline))
    late = refusal(member, "PATCH", pool_of(vip), {"monitor": {"kind": "tcp"}})
    assert late["problems"][0]["pointer"] == "/monitor"
    member.patch(pool_of(vip), {"monitor": {"kind": "icmp"}})

    some = serving(site, monitor={"kind": "tcp"})
    path = f"/v1/listeners/{some['listeners'][0]['id']}"
    assert refusal(member, "PATCH", path, {"all_ports": True})["status"] == 422


def test_persistence_on_several_nodes_needs_a_choice_by_client(
    server: LiveServer, admin: ApiClient, site: Site
) -> None:
    member = site.member()
    inline = listener("a")
    inline["pool"]["persistence_s"] = 60
    early = refusal(member, "POST", "/v1/vips", vip_body(site, inline))
    assert early["problems"][0]["pointer"] == "/listeners/0/pool/hash_ports"
    vip = serving(site, persistence_s=60, hash_ports=False)
    assert refusal(member, "PATCH", pool_of(vip), {"hash_ports": True})["status"] == 422
    late = refusal(member, "PATCH", pool_of(vip), {"persistence_prefix_v4": 24})
    assert late["problems"][0]["pointer"] == "/persistence_prefix_v4"

    single = make_site(server, admin, nodes=1)
    with single:
        single.member().post("/v1/vips", vip_body(single, inline))
    another = {"cluster_id": single.cluster["id"], "name": "lb9", "addresses": ["10.0.10.99"]}
    problem = refusal(admin, "POST", "/v1/nodes", another)
    assert problem["type"] == "/errors/conflict"
    assert "hash_ports" in problem["detail"]


def test_a_tunnel_of_ipip_bridges_families_until_that_is_taken_from_it(site: Site) -> None:
    member = site.member()
    vip = serving(site, "10.0.20.1", "fd00:20::1")
    [service] = compiled(site).services
    assert [str(backend.address) for backend in service.backends] == ["10.0.20.1", "fd00:20::1"]

    for changes, pointer in (
        ({"encapsulation": "gre"}, "/encapsulation"),
        ({"forwarding": "direct"}, "/forwarding"),
    ):
        problem = refusal(member, "PATCH", pool_of(vip), changes)
        assert problem["problems"][0]["pointer"] == pointer
        assert "fd00:20::1" in problem["detail"]


def test_one_pool_serves_vips_of_both_families_by_ipip_only(site: Site) -> None:
    member = site.member()
    vip = serving(site)
    pool_id = vip["listeners"][0]["pool_id"]
    uses = {"name": "a", "protocol": "tcp", "ports": [{"first": 80}], "pool_id": pool_id}
    six = member.post("/v1/vips", vip_body(site, uses, family=6))
    problem = refusal(member, "PATCH", pool_of(vip), {"encapsulation": "gue"})
    assert problem["problems"][0]["pointer"] == "/encapsulation"

    member.delete(f"/v1/vips/{six['id']}", cascade="true")
    member.patch(pool_of(vip), {"encapsulation": "gue"})
    again = refusal(member, "POST", "/v1/vips", vip_body(site, uses, family=6))
    assert again["problems"][0]["pointer"] == "/listeners/0/pool_id"


def test_nodes_that_synchronise_connections_and_bridged_families_exclude_each_other(
    site: Site,
) -> None:
    cluster = f"/v1/clusters/{site.cluster['id']}"
    vip = serving(site, "fd00:20::1")
    problem = refusal(site.admin, "PATCH", cluster, {"connection_sync": True})
    assert problem["type"] == "/errors/conflict"
    assert problem["used_by"][0]["id"] == vip["listeners"][0]["pool_id"]

    member = site.member()
    [foreign] = member.get(f"{pool_of(vip)}/members")["items"]
    member.delete(f"{pool_of(vip)}/members/{foreign['id']}")
    site.admin.patch(cluster, {"connection_sync": True})
    late = refusal(member, "POST", f"{pool_of(vip)}/members", {"address": "fd00:20::1"})
    assert "synchronise" in late["detail"]


def test_a_drained_member_says_since_when_until_it_is_active_again(site: Site) -> None:
    member = site.member()
    vip = serving(site, "10.0.20.1", drain_deadline_s=3600)
    [made] = member.get(f"{pool_of(vip)}/members")["items"]
    path = f"{pool_of(vip)}/members/{made['id']}"
    assert made["drained_at"] is None

    drained = member.patch(path, {"admin_state": "drained"})
    assert drained["drained_at"] is not None
    [backend] = compiled(site).services[0].backends
    assert (backend.weight, backend.drain_until is not None) == (0, True)
    again = member.patch(path, {"admin_state": "drained", "weight": 5})
    assert again["drained_at"] == drained["drained_at"]
    answer = member._http.put(
        f"{pool_of(vip)}/members",
        json={"members": [{"address": "10.0.20.1", "admin_state": "drained"}]},
        headers={"If-Match": "*"},
    )
    [kept] = answer.json()["members"]
    assert kept["drained_at"] == drained["drained_at"]

    assert member.patch(path, {"admin_state": "active"})["drained_at"] is None
    [backend] = compiled(site).services[0].backends
    assert (backend.weight, backend.drain_until) == (1, None)


def test_a_host_learns_every_way_in_which_its_packets_come(site: Site) -> None:
    _, agent = make_host(site, "10.0.20.231")
    serving(site, "10.0.20.231", encapsulation="gue")
    serving(site, "10.0.20.231", encapsulation="gre")
    serving(site, "10.0.20.231", forwarding="direct")

    fetched = fetch(agent)
    document = Reader(HostState).read(fetched.entries, fetched.revision)

    assert len(document.vips) == 3
    ways = {(tunnel.encapsulation, tunnel.port) for tunnel in document.tunnels}
    assert ways == {("ipip", None), ("gue", 6080), ("gre", None)}
