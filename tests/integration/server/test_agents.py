"""The agents' endpoint, reports, and the status that tenants see of them."""

import json
import threading
import time
from uuid import uuid4

import httpx
import pytest

from lbaas.client.agent import Fetched
from lbaas.client.api import ApiClient, ApiProblem
from lbaas.errors import Decommissioned
from lbaas.wire.body import decode
from lbaas.wire.reading import Reader
from lbaas.wire.state import ClusterState, HostState

from .conftest import (
    Json,
    LiveServer,
    Site,
    cluster_state,
    fetch,
    listener,
    make_site,
    unique,
)


def report(sequence: int = 1, *, revision: int, boot: str = "", **other: object) -> Json:
    return {
        "boot": boot or str(uuid4()),
        "sequence": sequence,
        "revision": revision,
        "digest": "sha-256=0",
        "changes": 1,
        "repaired": 0,
        **other,
    }


def state(agent: ApiClient, **params: float) -> httpx.Response:
    return agent._http.get("/v1/agent/state", params=params)


def make_vip(site: Site, *members: str) -> Json:
    body = {
        "name": unique("vip"),
        "tenant_id": site.tenant["id"],
        "address_pool_id": site.v4["id"],
        "listeners": [listener("http", 80, *members)],
    }
    return site.admin.post("/v1/vips", body)


def make_host(site: Site, *addresses: str) -> tuple[Json, ApiClient]:
    host = site.admin.post("/v1/backend-hosts", {"name": unique("h"), "addresses": list(addresses)})
    return host, site.client("host", host_id=host["id"])


def test_a_node_gets_its_clusters_state_with_revision_and_digest(site: Site) -> None:
    vip = make_vip(site, "10.0.20.1")
    fetched = fetch(site.node())

    document = cluster_state(fetched)
    assert str(fetched.agent) == site.nodes[0]["id"]
    assert document.revision == fetched.revision > 0
    assert [str(address) for address in document.vips] == [vip["address"]]
    [service] = document.services
    assert service.mark in document.marks
    assert [flow.mark for flow in document.flows] == [service.mark]
    assert {settings.name for settings in document.nodes.values()} == {"lb0", "lb1"}


def test_all_nodes_of_a_cluster_get_the_same_bytes(site: Site) -> None:
    make_vip(site, "10.0.20.1")

    assert state(site.node(0)).content == state(site.node(1)).content


def test_agents_can_name_what_they_count(site: Site) -> None:
    vip = make_vip(site, "10.0.20.188")
    _host, agent = make_host(site, "10.0.20.188")

    seen_by_node = json.loads(fetch(site.node()).entries.values[f"vip/{vip['id']}"])
    seen_by_host = json.loads(fetch(agent).entries.values[f"vip/{vip['address']}"])

    assert [each["id"] for each in seen_by_node["listeners"]] == [vip["listeners"][0]["id"]]
    assert seen_by_host["vip"] == vip["id"]


def test_a_host_gets_the_vips_of_members_at_its_addresses_and_their_nodes(site: Site) -> None:
    _, agent = make_host(site, "10.0.20.201", "10.0.20.202")
    mine = make_vip(site, "10.0.20.202", "10.0.20.99")
    make_vip(site, "10.0.20.99")

    fetched = fetch(agent)
    document = Reader(HostState).read(fetched.entries, fetched.revision)

    assert [str(address) for address in document.vips] == [mine["address"]]
    assert [str(address) for address in document.endpoints] == ["10.0.20.201", "10.0.20.202"]
    assert [str(address) for address in document.nodes] == ["10.0.10.11", "10.0.10.12"]


@pytest.mark.parametrize("at", ["server", "replica"])
def test_a_long_poll_ends_when_something_changed(
    site: Site, at: str, request: pytest.FixtureRequest
) -> None:
    polled: LiveServer = request.getfixturevalue(at)
    node = site.node(at=polled)
    since = int(state(node).headers["LBaaS-Revision"])
    got: list[httpx.Response] = []
    poll = threading.Thread(target=lambda: got.append(state(node, since=since, timeout_s=20)))
    poll.start()
    time.sleep(0.3)
    assert not got

    vip = make_vip(site)
    written = time.monotonic()
    poll.join(20)

    # A safety look comes after five seconds: sooner means that the notice woke the poll.
    assert time.monotonic() - written < 2
    assert got[0].status_code == 200
    assert vip["address"] in got[0].text


def test_a_poll_that_nothing_ends_is_answered_with_304(site: Site) -> None:
    node = site.node()
    since = int(state(node).headers["LBaaS-Revision"])

    answer = state(node, since=since, timeout_s=0.2)

    assert (answer.status_code, answer.content) == (304, b"")
    assert (
        answer.headers["X-Request-Id"] != state(node, since=0, timeout_s=0).headers["X-Request-Id"]
    )


def test_a_change_is_answered_with_what_changed_and_nothing_else(site: Site) -> None:
    node = site.node()
    first, second = make_vip(site, "10.0.20.1"), make_vip(site, "10.0.20.2")
    since = fetch(node).revision
    site.admin.delete(f"/v1/vips/{first['id']}", cascade="true")
    other = make_vip(site, "10.0.20.2")
    until_revision(node, site.admin.get(f"/v1/vips/{other['id']}/status")["revision"])

    update = decode(state(node, since=since, timeout_s=20).content)

    assert update.base == since
    assert update.delta.changed.keys() == {f"vip/{other['id']}"}
    assert update.delta.deleted == {f"vip/{first['id']}"}
    assert f"vip/{second['id']}" in fetch(node).entries.values


def until_revision(node: ApiClient, revision: int) -> Fetched:
    held = fetch(node)
    while held.revision < revision:
        held = fetch(node, held)
    return held


@pytest.mark.parametrize("coding", ["zstd", "gzip", "identity"])
def test_a_state_is_compressed_as_the_agent_accepts(site: Site, coding: str) -> None:
    node = site.node()
    answer = node._http.get("/v1/agent/state", headers={"Accept-Encoding": coding})

    assert answer.headers.get("Content-Encoding", "identity") == coding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert decode(answer.content) == decode(state(node).content)


def test_another_server_answers_an_agent_with_a_delta_too(site: Site, replica: LiveServer) -> None:
    """What it needs for that is in the feed's rows: an agent may come from any server, also after a restart."""
    member = site.member()
    vip = make_vip(site, "10.0.20.1")
    held = fetch(site.node())
    pool = vip["listeners"][0]["pool_id"]
    member.post(f"/v1/pools/{pool}/members", {"address": "10.0.20.2"})
    make_vip(site)
    elsewhere = site.node(at=replica)
    until_revision(elsewhere, held.revision + 1)

    update = decode(state(elsewhere, since=held.revision, timeout_s=20).content)
    caught_up = fetch(elsewhere, held)

    assert update.base == held.revision
    assert f"vip/{vip['id']}" in update.delta.changed
    assert caught_up.entries == fetch(elsewhere).entries


def test_a_gap_over_a_change_of_the_cluster_is_answered_whole_by_a_server_that_was_not_there(
    site: Site, replica: LiveServer
) -> None:
    held = fetch(site.node())
    site.admin.delete(f"/v1/nodes/{site.nodes[1]['id']}")
    elsewhere = site.node(at=replica)
    until_revision(elsewhere, held.revision + 1)

    assert decode(state(elsewhere, since=held.revision).content).base is None


def test_what_an_operator_changes_reaches_the_nodes(site: Site) -> None:
    node = site.node()

    held = fetch(node)

    def newer() -> ClusterState:
        nonlocal held
        held = fetch(node, held)
        return cluster_state(held)

    site.admin.patch(f"/v1/nodes/{site.nodes[1]['id']}", {"admin_state": "drained"})
    drained = newer()
    assert {n.name: n.admin_state for n in drained.nodes.values()} == {
        "lb0": "active",
        "lb1": "drained",
    }

    peer = {
        "cluster_id": site.cluster["id"],
        "name": "r",
        "address": "10.0.10.1",
        "as_number": 65000,
        "password": "secret",
    }
    site.admin.post("/v1/peers", peer)
    assert newer().peers[0].password == "secret"


def test_a_members_change_reaches_the_nodes_and_a_drained_one_has_weight_zero(site: Site) -> None:
    node, member = site.node(), site.member()
    vip = make_vip(site, "10.0.20.1")
    pool = f"/v1/pools/{vip['listeners'][0]['pool_id']}/members"
    [one] = member.get(pool)["items"]

    held = fetch(node)

    def next_backends() -> list[tuple[str, int]]:
        nonlocal held
        held = fetch(node, held)
        [service] = cluster_state(held).services
        return [(str(backend.address), backend.weight) for backend in service.backends]

    other = member.post(pool, {"address": "10.0.20.2", "weight": 5})
    assert next_backends() == [("10.0.20.1", 1), ("10.0.20.2", 5)]
    member.patch(f"{pool}/{one['id']}", {"admin_state": "drained"})
    assert next_backends() == [("10.0.20.1", 0), ("10.0.20.2", 5)]
    member.delete(f"{pool}/{other['id']}")
    assert next_backends() == [("10.0.20.1", 0)]


def test_a_vip_is_programmed_when_every_active_node_and_concerned_host_says_so(site: Site) -> None:
    _, host = make_host(site, "10.0.20.77")
    vip = make_vip(site, "10.0.20.77")
    nodes = [site.node(0), site.node(1)]
    revision = int(state(nodes[0]).headers["LBaaS-Revision"])
    path = f"/v1/vips/{vip['id']}/status"

    assert not site.admin.get(path)["programmed"]
    nodes[0].post("/v1/agent/report", report(revision=revision))
    host.post("/v1/agent/report", report(revision=revision))
    failure = {"subsystem": "ipvs", "operation": "add", "key": "1", "cause": "EPERM"}
    nodes[1].post("/v1/agent/report", report(revision=revision, failures=[failure]))
    status = site.admin.get(path)
    assert not status["programmed"]
    assert [entry["programmed"] for entry in status["nodes"]] == [True, False]
    assert status["nodes"][1]["failures"] == [failure]
    assert [entry["programmed"] for entry in status["hosts"]] == [True]

    site.admin.patch(f"/v1/nodes/{site.nodes[1]['id']}", {"admin_state": "maintenance"})
    assert site.admin.get(path)["programmed"]

    site.admin.post(
        f"/v1/pools/{vip['listeners'][0]['pool_id']}/members", {"address": "10.0.20.78"}
    )
    assert not site.admin.get(path)["programmed"]


def test_waiting_for_programmed_ends_with_the_last_report(site: Site) -> None:
    vip = make_vip(site)
    nodes = [site.node(0), site.node(1)]
    revision = int(state(nodes[0]).headers["LBaaS-Revision"])
    got: list[Json] = []
    path = f"/v1/vips/{vip['id']}/status"

    def ask() -> None:
        with ApiClient(site.server.url, site.server.admin_token, timeout_s=60) as admin:
            got.append(admin.get(path, wait_for="programmed", timeout_s=30))

    waiter = threading.Thread(target=ask)
    waiter.start()
    nodes[0].post("/v1/agent/report", report(revision=revision))
    time.sleep(0.3)
    assert not got
    nodes[1].post("/v1/agent/report", report(revision=revision))
    waiter.join(20)

    assert got[0]["programmed"]
    assert got[0]["revision"] <= revision


def test_an_older_report_of_the_same_boot_is_ignored(site: Site) -> None:
    node, boot = site.node(), str(uuid4())

    def applied() -> int:
        return int(site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")["applied_revision"])

    node.post("/v1/agent/report", report(5, revision=50, boot=boot))
    node.post("/v1/agent/report", report(4, revision=40, boot=boot))
    node.post("/v1/agent/report", report(5, revision=41, boot=boot))
    assert applied() == 50
    node.post("/v1/agent/report", report(0, revision=30))
    assert applied() == 30


def test_a_deleted_nodes_agent_is_told_so_by_every_server(site: Site, replica: LiveServer) -> None:
    agents = [site.node(), site.node(at=replica)]
    assert [state(node).status_code for node in agents] == [200, 200]

    site.admin.delete(f"/v1/nodes/{site.nodes[0]['id']}")

    deadline = time.monotonic() + 1
    for node in agents:
        while (answer := state(node)).status_code != 410 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert answer.status_code == 410
        assert answer.json()["type"] == "/errors/gone"
        with pytest.raises(ApiProblem) as caught:
            node.post("/v1/agent/report", report(revision=1))
        assert caught.value.status == 410


def test_a_deleted_hosts_agent_is_told_so(site: Site) -> None:
    host, agent = make_host(site, "10.0.20.203")
    site.admin.delete(f"/v1/backend-hosts/{host['id']}")

    deadline = time.monotonic() + 1
    while (status := state(agent).status_code) != 410 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 410


def test_a_poll_that_waits_learns_that_its_node_was_deleted(site: Site) -> None:
    held = fetch(node := site.node())
    last: list[Fetched] = []
    poll = threading.Thread(target=lambda: last.append(fetch(node, held)))
    poll.start()
    time.sleep(0.3)
    site.admin.delete(f"/v1/nodes/{site.nodes[0]['id']}")
    poll.join(20)

    assert f"node/{site.nodes[0]['id']}" not in last[0].entries.values
    with pytest.raises(Decommissioned):
        fetch(node, last[0])


def test_a_machine_that_moves_to_another_cluster_is_served_that_ones_whole_state(
    site: Site,
) -> None:
    make_vip(site, "10.0.20.1")
    before = fetch(site.node())
    with make_site(site.server, site.admin, nodes=0) as other:
        vip = make_vip(other, "10.0.20.1")
        name = site.nodes[0]["name"]
        site.admin.delete(f"/v1/nodes/{site.nodes[0]['id']}")
        body = {"cluster_id": other.cluster["id"], "name": name, "addresses": ["10.0.10.11"]}
        other.nodes.append(site.admin.post("/v1/nodes", body))
        after = fetch(other.node())

    assert str(cluster_state(before).cluster) == site.cluster["id"]
    state = cluster_state(after)
    assert str(state.cluster) == other.cluster["id"]
    assert [str(address) for address in state.vips] == [vip["address"]]
    assert str(after.agent) == other.nodes[0]["id"]


def test_a_drained_nodes_agent_goes_on_being_served(site: Site) -> None:
    held = fetch(node := site.node())
    site.admin.patch(f"/v1/nodes/{site.nodes[0]['id']}", {"admin_state": "drained"})
    held = fetch(node, held)
    vip = make_vip(site)

    assert f"vip/{vip['id']}" in fetch(node, held).entries.values


def test_tenants_have_no_state_and_agents_no_objects(site: Site) -> None:
    for client, path in ((site.member(), "/v1/agent/state"), (site.node(), "/v1/vips")):
        with pytest.raises(ApiProblem) as caught:
            client.get(path)
        assert caught.value.status == 403
