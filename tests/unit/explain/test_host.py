"""A host that holds what it shall has no broken hop, and each thing that it lacks is named."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import pytest

from lbaas.dataplane.link.desired import LinkTable, host_links
from lbaas.dataplane.sysctl.desired import HOST
from lbaas.domain.terms import Verdict
from lbaas.explain.hops import Unseen
from lbaas.explain.host import HostSeen, explain_host, nowhere
from lbaas.explain.ways import Way
from lbaas.wire.explanation import FiveTuple
from lbaas.wire.state import HostState

VIP, VIP6 = IPv4Address("198.51.100.7"), IPv6Address("2001:db8:100::7")
FLOW = FiveTuple(client=IPv4Address("192.0.2.7"), client_port=40000, vip=VIP, port=80)
FLOW6 = FLOW.model_copy(update={"client": IPv6Address("2001:db8::7"), "vip": VIP6})
STATE = HostState(
    host=UUID(int=1),
    revision=7,
    endpoints=(IPv4Address("10.0.20.11"),),
    vips=(VIP, VIP6),
    nodes=(IPv4Address("10.0.10.11"),),
)
LINKS = host_links(STATE)
SEEN = HostSeen(
    links=LINKS,
    guard="as ours",
    expected="as ours",
    settings=dict(HOST),
    rp_filters={"all": 0, "lbtun4": 2},
    shut=frozenset(),
    others={},
    listening=True,
    back=Way("eth0", 1500, IPv4Address("10.0.20.1")),
    mtu=1500,
)
DROPS = "\tchain c {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tip protocol 4 drop\n\t}\n"


def wrong(flow: FiveTuple = FLOW, **seen: Any) -> dict[str, Verdict]:
    answer = explain_host("this host", STATE, replace(SEEN, **seen), flow)
    return {hop.stage: hop.verdict for hop in answer.hops if hop.verdict is not Verdict.OK}


@pytest.mark.parametrize("flow", [FLOW, FLOW6])
def test_a_host_that_holds_what_it_shall_breaks_nothing(flow: FiveTuple) -> None:
    assert wrong(flow) == {}


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        ({"links": LinkTable(LINKS.devices)}, "alias"),
        ({"links": LinkTable(frozenset(), LINKS.aliases)}, "tunnel"),
        ({"guard": "as ours\nand more"}, "guard"),
        ({"rp_filters": {"all": 1, "lbtun4": 0}}, "rp_filter"),
        ({"settings": {**HOST, "net.ipv4.conf.all.arp_ignore": "0"}}, "arp"),
        ({"shut": frozenset({6080})}, "gue"),
        ({"others": {"ip filter": DROPS}}, "firewall"),
        ({"back": None}, "reply"),
        ({"back": Way("lbtun4", 1480)}, "reply"),
    ],
)
def test_what_is_broken_is_named(seen: dict[str, Any], stage: str) -> None:
    assert wrong(**seen) == {stage: Verdict.BROKEN}


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        ({"guard": None}, "guard"),
        ({"others": {"ip filter": DROPS.replace("drop", "limit rate 1/second drop")}}, "firewall"),
        ({"listening": False}, "program"),
        ({"programs": ("tc filters (bpf) at eth0 ingress",)}, "programs"),
    ],
)
def test_what_may_break_is_suspect(seen: dict[str, Any], stage: str) -> None:
    assert wrong(**seen) == {stage: Verdict.SUSPECT}


def test_a_loose_rp_filter_of_all_devices_is_loose_everywhere() -> None:
    assert wrong(rp_filters={"all": 2, "lbtun4": 1}) == {}


def test_what_could_not_be_looked_at_never_passes_for_well() -> None:
    unseen = Unseen("permission denied")
    found = wrong(links=unseen, guard=unseen, shut=unseen, others=unseen)
    assert found == dict.fromkeys(("guard", "tunnel", "firewall"), Verdict.UNKNOWN)


def test_a_vip_that_the_host_was_not_told_of_is_named() -> None:
    assert wrong(FLOW.model_copy(update={"vip": VIP + 1})) == {"state": Verdict.BROKEN}


def test_a_vip_that_arrives_at_no_place_of_the_host_is_said_to_and_why() -> None:
    """Told of it, the host looks for the pod; not told, it says that nobody told it."""
    gone = nowhere("this host", STATE, FLOW)
    assert (gone.stage, gone.verdict) == ("pods", Verdict.BROKEN)
    assert "none has 10.0.20.11" in gone.actual
    untold = nowhere("this host", STATE.model_copy(update={"vips": ()}), FLOW)
    assert (untold.stage, untold.verdict) == ("state", Verdict.BROKEN)
