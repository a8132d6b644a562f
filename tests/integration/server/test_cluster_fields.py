"""What a cluster says to its nodes, what an operator confirms, and what the nodes find."""

import pytest

from lbaas.client.api import ApiClient

from .conftest import Json, Site, cluster_state, fetch, listener
from .test_agents import make_host, make_vip, report
from .test_resources import refusal, vip_body

FIELDS = {
    "timeouts": {"tcp_s": 60, "tcp_fin_s": 30, "udp_s": 10},
    "removal_guard_percent": 20,
    "connection_sync": True,
}


def say(site: Site, node: int = 0, sequence: int = 1, **said: object) -> None:
    """The node reports, as programmed up to the revision that it is served."""
    agent = site.node(node)
    said.setdefault("revision", fetch(agent).revision)
    agent._http.post("/v1/agent/report", json=report(sequence, **said)).raise_for_status()  # type: ignore[arg-type]


def test_a_clusters_settings_reach_its_nodes(site: Site) -> None:
    path = f"/v1/clusters/{site.cluster['id']}"
    changed = site.admin.patch(path, FIELDS)
    assert {name: changed[name] for name in FIELDS} == FIELDS

    state = cluster_state(fetch(site.node()))
    assert state.timeouts.model_dump() == FIELDS["timeouts"]
    assert (state.removal_guard_percent, state.connection_sync) == (20, True)
    back = site.admin.patch(path, {"timeouts": {"udp_s": 10}})
    assert back["timeouts"] == {"tcp_s": 900, "tcp_fin_s": 120, "udp_s": 10}


def test_a_peer_may_keep_routes_while_bird_restarts(site: Site) -> None:
    peer = {
        "cluster_id": site.cluster["id"],
        "name": "r",
        "address": "10.0.0.1",
        "as_number": 65000,
    }
    made = site.admin.post("/v1/peers", peer)
    assert made["graceful_restart"] is False

    site.admin.patch(f"/v1/peers/{made['id']}", {"graceful_restart": True})

    assert cluster_state(fetch(site.node())).peers[0].graceful_restart


def test_a_removal_is_confirmed_once_and_never_for_the_future(site: Site) -> None:
    node = site.nodes[0]["id"]
    path = f"/v1/nodes/{node}/confirm-removal"
    held = fetch(site.node())
    problem = refusal(site.admin, "POST", path, {"revision": held.revision + 1_000_000})
    assert problem["problems"][0]["pointer"] == "/revision"

    shown = site.admin.post(path, {"revision": held.revision})
    assert shown["removal_confirmed"] == held.revision
    newer = fetch(site.node(), held)
    nodes = cluster_state(newer).nodes
    confirmed = {str(each): nodes[each].removal_confirmed for each in nodes}
    assert confirmed == {node: held.revision, site.nodes[1]["id"]: None}
    again = site.admin.post(path, {"revision": held.revision - 1})
    assert again["removal_confirmed"] == held.revision
    assert again["updated_at"] == shown["updated_at"]


def test_a_node_shows_what_it_says_of_itself(site: Site) -> None:
    assert site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")["facts"] is None
    held = {"revision": 5, "services": 40, "of": 50}
    facts = {"services": 50, "scheduler_bytes": 1000, "foreign": ["a rule"], "held_removal": held}

    say(site, facts=facts, checked=7)

    node = site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")
    assert node["checked"] == 7
    assert facts.items() <= node["facts"].items()
    say(site, checked=8)  # which says nothing new of itself
    assert site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")["facts"] == node["facts"]


def unhealthy_of(client: ApiClient, vip: Json) -> dict[str, list[tuple[str, str]]]:
    status = client.get(f"/v1/vips/{vip['id']}/status")
    return {
        node["name"]: [(one["address"], one["cause"]) for one in node["unhealthy"]]
        for node in status["nodes"]
    }


def test_a_status_shows_the_members_that_fail_on_each_node_and_what_was_dropped(
    site: Site,
) -> None:
    member = site.member()
    vip, other = (make_vip(site, "10.0.20.1", "10.0.20.2") for _ in range(2))
    marks = {str(one.vip): one.mark for one in cluster_state(fetch(site.node())).services}
    mine, others = marks[vip["address"]], marks[other["address"]]
    failing = {"mark": mine, "address": "10.0.20.1", "since": 1_700_000_000, "cause": "refused"}

    say(
        site,
        unhealthy=[failing, {**failing, "mark": others, "cause": "late"}],
        dropped=[{"mark": mine, "source": 3}, {"mark": others, "rate": 9}],
    )
    say(site, 1, dropped=[{"mark": mine, "source": 4, "malformed": 1}])

    assert unhealthy_of(member, vip) == {"lb0": [("10.0.20.1", "refused")], "lb1": []}
    assert unhealthy_of(member, other) == {"lb0": [("10.0.20.1", "late")], "lb1": []}
    status = member.get(f"/v1/vips/{vip['id']}/status")
    assert status["nodes"][0]["unhealthy"][0]["since"] == "2023-11-14T22:13:20Z"
    [entry] = vip["listeners"]
    expected = {"listener_id": entry["id"], "source": 7, "rate": 0, "malformed": 1}
    assert status["dropped"] == [expected]

    say(site, sequence=2)
    assert unhealthy_of(member, vip) == {"lb0": [], "lb1": []}


def test_a_status_shows_what_a_node_doubts_of_the_vips_own_members(site: Site) -> None:
    member = site.member()
    vip, other = (make_vip(site, "10.0.20.1") for _ in range(2))
    doubted = {"vip": vip["address"], "port": 80, "member": "10.0.20.1"}
    say(site, facts={"silent": [doubted]})

    def silent(which: Json) -> list[list[Json]]:
        return [each["silent"] for each in member.get(f"/v1/vips/{which['id']}/status")["nodes"]]

    assert silent(vip) == [[{"port": 80, "address": "10.0.20.1"}], []]
    assert silent(other) == [[], []]


def test_a_node_whose_order_differs_is_told_in_status_and_metrics(site: Site) -> None:
    vip = make_vip(site, "10.0.20.1")

    def differs(*digests: str) -> list[bool]:
        for node, digest in enumerate(digests):
            say(site, node, facts={"order_digest": digest})
        status = site.member().get(f"/v1/vips/{vip['id']}/status")
        return [node["order_differs"] for node in status["nodes"]]

    assert differs("one", "one") == [False, False]
    assert differs("one", "two") == [True, True]
    figures = site.admin._http.get("/metrics").text
    assert f'lbaas_nodes_order_differs{{cluster="{site.cluster["name"]}"}} 2.0' in figures


@pytest.fixture
def ladder(site: Site) -> list[Json]:
    return [make_vip(site, f"10.0.20.{n}") for n in (221, 222)]


def progress(site: Site) -> dict[str, set[str]]:
    """The ids that a list of each status shows, which must be what the status of each VIP says."""
    member = site.member()
    shown = {
        status: {vip["id"] for vip in member.get("/v1/vips", status=status)["items"]}
        for status in ("programmed", "pending")
    }
    every = {vip["id"] for vip in member.get("/v1/vips")["items"]}
    told = {vip for vip in every if member.get(f"/v1/vips/{vip}/status")["programmed"]}
    assert shown == {"programmed": told, "pending": every - told}
    return shown


def test_lists_by_status_agree_with_the_status_of_each(site: Site, ladder: list[Json]) -> None:
    one, other = (vip["id"] for vip in ladder)
    assert progress(site)["pending"] == {one, other}
    say(site, 0)
    assert progress(site)["pending"] == {one, other}
    say(site, 1)
    assert progress(site)["programmed"] == {one, other}

    pool = ladder[0]["listeners"][0]["pool_id"]
    site.member().post(f"/v1/pools/{pool}/members", {"address": "10.0.20.223"})
    assert progress(site)["pending"] == {one}
    failure = {"subsystem": "ipvs", "operation": "add", "key": "k", "cause": "c"}
    say(site, 0, failures=[failure])
    say(site, 1)
    assert progress(site)["pending"] == {one, other}
    site.admin.patch(f"/v1/nodes/{site.nodes[0]['id']}", {"admin_state": "drained"})
    assert progress(site)["programmed"] == {one, other}


def test_a_vip_is_pending_while_a_host_of_its_members_lags(site: Site, ladder: list[Json]) -> None:
    one, other = (vip["id"] for vip in ladder)
    say(site, 0)
    say(site, 1)
    _, agent = make_host(site, "10.0.20.222")
    assert progress(site)["pending"] == {other}

    agent._http.post("/v1/agent/report", json=report(revision=fetch(agent).revision))
    assert progress(site)["programmed"] == {one, other}


def test_a_vip_of_a_cluster_without_an_active_node_is_pending(site: Site) -> None:
    vip = site.member().post("/v1/vips", vip_body(site, listener("a")))
    for node in site.nodes:
        site.admin.patch(f"/v1/nodes/{node['id']}", {"admin_state": "maintenance"})

    assert progress(site)["pending"] == {vip["id"]}
