"""Faults that a node lives through, with traffic running: docs/promises.md names each of these tests."""

import re
import signal
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from lbaas.dataplane.bird.desired import TEXT, identity, peer_protocol
from lbaas.lab.site import Site
from lbaas.lab.topology import SEGMENTS, Role
from tests.e2e.balanced import (
    CLIENT,
    PORT,
    Balanced,
    eventually,
    guard_removals,
    services,
    settle,
)
from tests.e2e.clients import Clients

NODE = "lb1"
FLOWS = 20


@pytest.fixture
def stopped_bird(balanced4: Balanced) -> Iterator[None]:
    """BIRD of lb1 hangs, after the VIP has settled on both nodes: it is there and says nothing."""
    site = balanced4.site
    settle(site)
    site.lab.birds[NODE].kill(signal.SIGSTOP)
    yield
    site.lab.birds[NODE].kill(signal.SIGCONT)


@pytest.fixture
def read_only(site: Site) -> Iterator[None]:
    """Nobody can write where the include file of lb1 is."""
    directory = str(site.lab.directory(NODE))
    mounts = [["mount", "--bind", directory, directory]]
    mounts.append(["mount", "-o", "remount,ro,bind", directory])
    for mount in mounts:
        assert site.lab.run(NODE, mount).status == 0
    yield
    assert site.lab.run(NODE, ["umount", directory]).status == 0


@pytest.fixture
def guarded(site: Site) -> Iterator[None]:
    """Removals are guarded as they are by default."""
    guard_removals(site, 50)
    yield
    guard_removals(site, 100)


def said(site: Site) -> str:
    """The last that the agent of lb1 wrote to its log."""
    return site.agents[NODE].log_tail()


def marks(site: Site) -> int:
    """How many services lb1 has."""
    return services(site, NODE)


@pytest.mark.parametrize(
    "edited", [r"/route {vip}\/32/d", r"s/route {vip}\/32/route 203.0.113.113\/32/"]
)
def test_a_bird_that_has_other_routes_than_the_file_is_found(
    balanced4: Balanced, edited: str
) -> None:
    """Somebody has it read a copy without the VIP, or with another, and puts back what was there."""
    site = balanced4.site
    edited = edited.format(vip=re.escape(balanced4.address))
    settle(site)
    eventually(lambda: _runs_with(site) == identity(_include(site)))
    path = site.lab.bird_include(NODE)
    control = site.lab.bird_socket(NODE)
    script = (
        f"cp {path} {path}.kept && sed -i '{edited}' {path}"
        f" && birdc -s {control} configure && {_route(balanced4)}; mv {path}.kept {path}"
    )
    found = site.lab.run(NODE, ["sh", "-c", script])
    assert "Reconfigured" in found.stdout
    assert "blackhole" not in found.stdout
    route = _route(balanced4).split()
    eventually(lambda: "blackhole" in site.lab.run(NODE, route).stdout)
    eventually(lambda: len(balanced4.next_hops()) == 2)
    assert _runs_with(site) == identity(_include(site))


def _include(site: Site) -> str:
    return site.lab.run(NODE, ["cat", str(site.lab.bird_include(NODE))]).stdout


def _runs_with(site: Site) -> str:
    """The name of the text that BIRD of lb1 runs with."""
    asked = ["birdc", "-s", str(site.lab.bird_socket(NODE)), f"eval {TEXT}"]
    return site.lab.run(NODE, asked).stdout.split()[-1]


def _route(balanced: Balanced) -> str:
    """What shows the VIP's route in BIRD of lb1."""
    control = balanced.site.lab.bird_socket(NODE)
    return f"birdc -s {control} show route table master4 for {balanced.address}/32"


@pytest.mark.usefixtures("stopped_bird")
def test_a_bird_that_hangs_keeps_nothing_from_the_kernel_and_catches_up(
    balanced4: Balanced,
) -> None:
    site = balanced4.site
    flows = site.lab.flows(CLIENT, balanced4.address, PORT, FLOWS)
    clients = Clients(balanced4.site, balanced4.address)
    eventually(lambda: "does not answer" in said(site), timeout_s=60)
    before = marks(site)
    late = Balanced.order(site, 4)
    eventually(lambda: marks(site) == before + 2, timeout_s=60)
    site.lab.birds[NODE].kill(signal.SIGCONT)
    late.wait_programmed()
    eventually(lambda: late.fetch().ok)
    late.delete()
    eventually(lambda: marks(site) == before, timeout_s=60)
    # Routers took the routes away when BFD fell silent, and gave them back; the node forwarded all the while.
    assert clients.failures() == []
    assert all(flow.alive for flow in flows.stop())


@pytest.fixture
def killed_bird(site: Site) -> Iterator[None]:
    """BIRD of lb1 is gone, and nobody starts it again before the end of the test."""
    site.lab.birds[NODE].kill(signal.SIGKILL)
    site.lab.birds[NODE].wait()
    yield
    if not site.lab.birds[NODE].alive:
        site.lab.revive_node(NODE)


def test_a_killed_bird_loses_no_packet_and_announces_again_when_it_is_back(
    balanced: Balanced, request: pytest.FixtureRequest
) -> None:
    """The node forwards what still comes; what is new goes by the other node."""
    site, lab = balanced.site, balanced.site.lab
    flows = lab.flows(CLIENT, balanced.address, PORT, FLOWS)
    clients = Clients(balanced.site, balanced.address)
    request.getfixturevalue("killed_bird")
    eventually(lambda: len(balanced.next_hops()) == 1)
    late = Balanced.order(site, balanced.family)
    eventually(lambda: late.fetch().ok)
    lab.revive_node(NODE)
    for vip in (balanced, late):
        vip.wait_programmed()
    late.delete()
    assert clients.failures() == []
    held = flows.stop()
    print(f"longest stall of a held flow {max(flow.longest_stall_s for flow in held):.2f} s")
    assert all(flow.alive for flow in held)


@pytest.mark.usefixtures("read_only")
def test_what_cannot_be_written_for_bird_is_told_and_what_is_announced_stays(
    balanced4: Balanced,
) -> None:
    site = balanced4.site
    clients = Clients(balanced4.site, balanced4.address)
    late = Balanced.order(site, 4)
    eventually(lambda: "Read-only" in said(site), timeout_s=60)
    assert len(balanced4.next_hops()) == 2
    assert clients.failures() == []
    assert (
        site.lab.run(NODE, ["mount", "-o", "remount,rw,bind", str(site.lab.directory(NODE))]).status
        == 0
    )
    late.wait_programmed()
    late.delete()


@pytest.fixture
def silenced(balanced4: Balanced) -> Iterator[str]:
    """BIRD of lb1 was told by hand to speak to its IPv4 router no more; the router's address."""
    site = balanced4.site
    router = str(SEGMENTS[Role.NODE].gateway4)
    speak = ["birdc", "-s", str(site.lab.bird_socket(NODE))]
    name = peer_protocol(ip_address(router))
    assert site.lab.run(NODE, [*speak, "disable", name]).status == 0
    yield router
    assert site.lab.run(NODE, [*speak, "enable", name]).status == 0


def test_a_router_that_is_told_nothing_is_named(balanced4: Balanced, silenced: str) -> None:
    site = balanced4.site

    def named() -> bool:
        facts = site.admin.get(f"/v1/nodes/{site.inventory.nodes[NODE]}")["facts"]
        nodes = site.tenant.get(f"/v1/vips/{balanced4.vip['id']}/status")["nodes"]
        (by_vip,) = [each["unheard_by"] for each in nodes if each["name"] == NODE]
        unheard = [each["peer"] for each in facts["unheard"]]
        return bool(by_vip == unheard == facts["without_bfd"] == [silenced])

    eventually(named)
    assert balanced4.fetch().ok  # by the other node


def test_flows_live_through_a_link_that_flaps(balanced: Balanced) -> None:
    lab = balanced.site.lab
    flows = lab.flows(CLIENT, balanced.address, PORT, FLOWS)
    for _ in range(3):
        lab.link(NODE, "eth0", up=False)
        eventually(lambda: len(balanced.next_hops()) == 1, timeout_s=60)
        lab.link(NODE, "eth0", up=True)
        eventually(lambda: len(balanced.next_hops()) == 2, timeout_s=60)
    exchanged = {flow.source_port: flow.exchanged for flow in flows.read()}
    eventually(lambda: all(flow.exchanged > exchanged[flow.source_port] for flow in flows.read()))
    assert all(flow.alive for flow in flows.stop())
    balanced.wait_programmed()


def test_a_clock_that_jumps_changes_nothing(balanced4: Balanced) -> None:
    """The guest has one clock for all: nodes and hosts jump together."""
    site = balanced4.site
    clients = Clients(balanced4.site, balanced4.address)
    for jump in ("+1 day", "-2 days", "+1 day"):
        assert site.lab.run(NODE, ["sh", "-c", f"date -s \"$(date -d '{jump}')\""]).status == 0
        late = Balanced.create(site, 4)
        assert late.fetch().ok
        late.delete()
    assert clients.failures() == []


@pytest.mark.usefixtures("guarded")
def test_most_services_of_a_node_go_only_when_an_operator_confirms(balanced4: Balanced) -> None:
    """lb1 sleeps while they are deleted, so that for it they go at once, but for the first: those had come.

    On a machine that stands still for a while they may go at once for others, too.
    """
    site = balanced4.site
    settle(site)
    before = marks(site)
    doomed = [Balanced.order(site, 4) for _ in range(max(before + 10, 18))]
    for vip in doomed:
        vip.wait_programmed()
    full = marks(site)
    site.agents[NODE].kill(signal.SIGSTOP)
    try:
        for vip in doomed:
            vip.delete()
    finally:
        site.agents[NODE].kill(signal.SIGCONT)
    try:
        eventually(lambda: _HELD.search(said(site)), timeout_s=60)
        count = int(_HELD.findall(said(site))[-1][0])
        assert 20 <= count <= full - before
        eventually(lambda: marks(site) == before + count)
        assert sum(NODE in _announcers(site, vip) for vip in doomed) >= count // 2
        late = Balanced.order(site, 4)  # what is new comes all the same
        eventually(lambda: marks(site) == before + count + 2, timeout_s=60)
    finally:
        _confirm(site)
    eventually(lambda: marks(site) == before + 2, timeout_s=60)
    late.wait_programmed()
    late.delete()
    eventually(lambda: marks(site) == before, timeout_s=60)


def _confirm(site: Site) -> None:
    """The operator's word for what each node says that it holds."""
    for name, node in site.inventory.nodes.items():
        for _, revision in _HELD.findall(site.agents[name].log_tail())[-1:]:
            site.admin.post(f"/v1/nodes/{node}/confirm-removal", {"revision": int(revision)})


# How many services would go, and the revision to confirm.
_HELD = re.compile(r"(\d+) of \d+ services would go at once: .*? confirms revision (\d+)")


def _announcers(site: Site, vip: Balanced) -> frozenset[str]:
    """The nodes that the router sends the VIP's packets to, by name."""
    names = {
        str(address): machine.name
        for machine in site.lab.topology.machines
        for address in (machine.address4, machine.address6)
    }
    return frozenset(names[str(ip_address(hop))] for hop in vip.next_hops())
