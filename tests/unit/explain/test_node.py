"""A node that holds what it shall has no broken hop, and each thing that it lacks is named."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.ipvs.desired import Destination, service_table
from lbaas.dataplane.link.desired import LinkTable, node_links
from lbaas.dataplane.marks.desired import MarkTable, mark_table
from lbaas.dataplane.sysctl.desired import NODE
from lbaas.domain.terms import Forwarding, NodeAdminState, Protocol, Scheduler, Verdict
from lbaas.explain.hops import Unseen, worst
from lbaas.explain.node import explain_node
from lbaas.explain.node_facts import Announced, NodeDesired, NodeSeen
from lbaas.explain.ways import Way
from lbaas.wire.explanation import Answer, FiveTuple
from lbaas.wire.state import (
    Admission,
    Backend,
    ClusterState,
    Flow,
    MarkRange,
    NodeSettings,
    Peer,
    PortRange,
    VirtualService,
)

VIP = IPv4Address("198.51.100.7")
PREFIX = ip_network(VIP)
ROUTER = IPv4Address("10.0.10.1")
MEMBERS = tuple(IPv4Address(f"10.0.20.{number}") for number in (11, 12, 13))
FLOW = FiveTuple(client=IPv4Address("192.0.2.7"), client_port=40000, vip=VIP, port=80)
SESSION = "lbaas_peer_10_0_10_1"


def state(**other: Any) -> ClusterState:
    service = VirtualService(
        mark=0x10000001,
        family=4,
        scheduler=Scheduler.MH,
        forwarding=Forwarding.TUNNEL,
        backends=tuple(Backend(address=member, weight=1) for member in MEMBERS),
        vip=VIP,
    )
    ports = PortRange(first=80, last=80)
    flow = Flow(vip=VIP, protocol=Protocol.TCP, ports=ports, mark=0x10000001)
    peer = Peer(
        name="router", address=ROUTER, as_number=65000, password=None, bfd=True, multihop=False
    )
    made = ClusterState(
        cluster=UUID(int=1),
        revision=7,
        as_number=65001,
        marks=MarkRange(first=0x10000000, last=0x1000FFFF),
        nodes={},
        peers=(peer,),
        vips=(VIP,),
        announced=(PREFIX,),
        services=(service,),
        flows=(flow,),
    )
    return made.model_copy(update=other)


def desired(of: ClusterState, admin_state: NodeAdminState = NodeAdminState.ACTIVE) -> NodeDesired:
    return NodeDesired(of, NodeSettings(name="lb1", admin_state=admin_state), of.services)


def as_desired(wanted: NodeDesired) -> NodeSeen:
    """What is seen on a node that holds just that."""
    of = wanted.state
    announced = frozenset(of.announced if wanted.announced else ())
    return NodeSeen(
        bird=Announced(announced, {SESSION: "Established"}, {ROUTER: "Up"}, {SESSION: True}),
        links=node_links(of.vips),
        marks=mark_table(of, "as ours"),
        structure="as ours",
        services=service_table(of),
        settings=dict(NODE),
        others={},
        rules=(),
        ways=dict.fromkeys(MEMBERS, Way("eth0", 1500, ROUTER)),
    )


def explained(of: ClusterState | None = None, flow: FiveTuple = FLOW, **seen: Any) -> Answer:
    wanted = desired(of or state())
    return explain_node("lb1", wanted, replace(as_desired(wanted), **seen), flow)


def wrong(answer: Answer) -> dict[str, Verdict]:
    return {hop.stage: hop.verdict for hop in answer.hops if hop.verdict is not Verdict.OK}


@given(st.sampled_from(list(Scheduler)), st.lists(st.integers(1, 100), min_size=1, max_size=3))
def test_a_node_that_holds_what_it_shall_breaks_nothing(
    scheduler: Scheduler, weights: list[int]
) -> None:
    backends = tuple(
        Backend(address=member, weight=weight)
        for member, weight in zip(MEMBERS, weights, strict=False)
    )
    service = state().services[0].model_copy(update={"scheduler": scheduler, "backends": backends})
    answer = explained(state(services=(service,)))
    assert wrong(answer) == {}
    assert set(answer.members) <= set(MEMBERS)
    assert len(answer.members) == 1 or not scheduler.same_on_every_node
    assert answer.mtu == 1500


def test_a_drained_node_is_no_fault() -> None:
    wanted = desired(state(), NodeAdminState.DRAINED)
    answer = explain_node("lb1", wanted, as_desired(wanted), FLOW)
    assert wrong(answer) == {}
    assert "drained" in answer.hops[1].desired


BIRD = Announced(frozenset({PREFIX}), {SESSION: "Established"}, {ROUTER: "Up"}, {SESSION: True})
HELD = service_table(state())
(KEY,) = HELD
FIRST, SECOND, THIRD = HELD[KEY].destinations
TABLE = mark_table(state(), "as ours")
(FLOW_KEY,) = TABLE.flows
SETS_MARKS = "\tchain c {\n\t\ttype filter hook prerouting priority 0; policy accept;\n\t\tmeta mark set 0x7\n\t}\n"
DROPS = "\tchain c {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n"


def holding(*destinations: Destination, **other: Any) -> dict[str, Any]:
    return {"services": {KEY: replace(HELD[KEY], destinations=destinations, **other)}}


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        ({"links": LinkTable()}, "address"),
        ({"links": node_links(())}, "address"),
        ({"marks": MarkTable(None)}, "rules"),
        ({"marks": replace(TABLE, structure="another")}, "rules"),
        ({"marks": replace(TABLE, flows={})}, "mark"),
        ({"marks": replace(TABLE, vips=frozenset())}, "mark"),
        ({"services": {}}, "service"),
        (holding(FIRST, SECOND, THIRD, scheduler="rr"), "service"),
        (holding(FIRST, SECOND), "members"),
        (holding(SECOND, FIRST, THIRD), "members"),
        (holding(FIRST, SECOND, replace(THIRD, weight=9)), "members"),
        (holding(FIRST, SECOND, replace(THIRD, weight=0)), "members"),
        (holding(FIRST, SECOND, replace(THIRD, forwarding=Forwarding.DIRECT)), "members"),
        ({"ways": dict.fromkeys(MEMBERS)}, "tunnel"),
        ({"others": {"ip other": SETS_MARKS}}, "marks of others"),
        ({"others": {"ip other": DROPS}}, "firewall"),
        ({"bird": replace(BIRD, loaded=frozenset())}, "announcement"),
        ({"bird": Unseen("no such socket")}, "announcement"),
        ({"bird": replace(BIRD, sessions={SESSION: "Active"}, bfd={})}, "session"),
        ({"bird": replace(BIRD, sessions={}, bfd={ROUTER: "Down"})}, "bfd"),
        ({"bird": replace(BIRD, exported={SESSION: False})}, "export"),
    ],
)
def test_what_is_broken_is_named_first(seen: dict[str, Any], stage: str) -> None:
    found = wrong(explained(**seen))
    assert next(iter(found)) == stage
    assert found[stage] is Verdict.BROKEN


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        ({"others": {"ip other": SETS_MARKS.replace("meta", "ip dscp 7 meta")}}, "marks of others"),
        ({"others": {"ip other": DROPS.replace("}", "\tip dscp 7 accept\n\t}")}}, "firewall"),
        ({"settings": {}}, "settings"),
        ({"rules": ("rule 100",)}, "routing"),
        ({"bird": replace(BIRD, bfd={})}, "bfd"),
        ({"programs": ("XDP program 7 on eth0",)}, "programs"),
    ],
)
def test_what_may_break_is_suspect(seen: dict[str, Any], stage: str) -> None:
    assert wrong(explained(**seen)) == {stage: Verdict.SUSPECT}


def test_what_could_not_be_looked_at_never_passes_for_well() -> None:
    unseen = Unseen("permission denied")
    answer = explained(links=unseen, marks=unseen, services=unseen, others=unseen)
    assert set(wrong(answer).values()) >= {Verdict.UNKNOWN}
    assert worst(answer.hops) is not Verdict.OK


def test_a_vip_a_port_and_a_client_that_are_not_served_are_told() -> None:
    assert list(wrong(explained(state(vips=())))) == ["state"]
    assert list(wrong(explained(flow=FLOW.model_copy(update={"port": 81})))) == ["listener"]
    admission = Admission(vip=VIP, mark=0x10000001, sources=((ip_network("198.18.0.0/15"),),))
    assert wrong(explained(state(admissions=(admission,)))) == {"policy": Verdict.BROKEN}


def test_direct_forwarding_does_not_cross_a_router() -> None:
    service = state().services[0].model_copy(update={"forwarding": Forwarding.DIRECT})
    assert wrong(explained(state(services=(service,)))) == {"tunnel": Verdict.BROKEN}


def test_a_weight_of_0_is_right_where_the_checks_found_a_member_unfit() -> None:
    of = state()
    out = Backend(address=MEMBERS[0], weight=0)
    effective = of.services[0].model_copy(update={"backends": (out, *of.services[0].backends[1:])})
    wanted = replace(desired(of), effective=(effective,))
    held = service_table(of.model_copy(update={"services": (effective,)}))
    answer = explain_node("lb1", wanted, replace(as_desired(wanted), services=held), FLOW)
    assert wrong(answer) == {}
    assert MEMBERS[0] not in answer.members


def test_without_a_port_every_member_may_get_the_flow() -> None:
    answer = explained(flow=FLOW.model_copy(update={"client_port": None}))
    assert set(answer.members) == set(MEMBERS)
    assert "33%" in next(hop.actual for hop in answer.hops if hop.stage == "choice")


def test_a_weight_that_the_kernel_keeps_to_itself_leaves_both_possibilities() -> None:
    gone = Backend(address=MEMBERS[0], weight=0)
    of = state()
    service = of.services[0].model_copy(update={"backends": (gone, *of.services[0].backends[1:])})
    clients = [FLOW.model_copy(update={"client_port": port}) for port in range(40000, 40100)]
    found = [explained(of.model_copy(update={"services": (service,)}), flow) for flow in clients]
    assert {len(answer.members) for answer in found} == {1, 2}
    assert all(ip_address("10.0.20.11") not in answer.members for answer in found)
