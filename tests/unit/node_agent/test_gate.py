"""Which failures keep which VIPs from being announced."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from lbaas.agent.rounds import Failed
from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey
from lbaas.dataplane.ipvs.plan import AddDestination, CreateService, RemoveService, SetScheduler
from lbaas.dataplane.link.plan import AcceptAddress, RefuseAddress
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.plan import (
    AddVip,
    RemoveFlow,
    RemovePolicy,
    ReplaceTable,
    SetFlow,
    SetPolicy,
)
from lbaas.dataplane.marks.policy import Policy
from lbaas.dataplane.steps import Step
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.domain.terms import Forwarding
from lbaas.errors import StepFailed
from lbaas.node_agent.gate import unready
from lbaas.node_agent.picture import Picture, VipTables

A, B = IPv4Address("198.51.100.1"), IPv6Address("2001:db8:100::1")
MARK_A, MARK_B = 0x10, 0x11
KEY_A = ServiceKey(4, MARK_A)
WEB = FlowKey(A, 6, 80, 80)


HELD: Picture = {
    A: VipTables({KEY_A: Service("mh", 0x18, ())}),
    B: VipTables({ServiceKey(6, MARK_B): Service("mh", 0x18, ())}),
}


def failed(step: Step | None, subsystem: str = "any") -> Failed:
    return Failed(step, StepFailed(subsystem, "step", "key", "cause"))


@pytest.mark.parametrize(
    "step",
    [
        AcceptAddress(A),
        AddVip(A),
        SetFlow(WEB, FlowMark(MARK_A, MARK_A)),
        CreateService(KEY_A),
        SetScheduler(KEY_A, "mh", 0x18),
        SetPolicy(MARK_A, Policy(restricted=True)),
    ],
)
def test_what_one_vip_lacks_keeps_that_vip_back(step: Step) -> None:
    assert unready(HELD, [failed(step)], frozenset({A, B})) == {A}


def test_what_all_vips_lack_keeps_all_back() -> None:
    table = ReplaceTable(MarkTable("rules"))
    assert unready(HELD, [failed(table)], frozenset()) == {A, B}


@pytest.mark.parametrize("subsystem", ["ipvs", "marks", "link"])
def test_a_subsystem_out_of_reach_keeps_back_what_is_not_announced_yet(subsystem: str) -> None:
    assert unready(HELD, [failed(None, subsystem)], frozenset({A})) == {B}


def test_a_setting_keeps_back_only_what_is_not_announced_yet() -> None:
    step = SetSysctl("net.ipv4.vs.sloppy_tcp", "1")
    assert unready(HELD, [failed(step)], frozenset({A})) == {B}


@pytest.mark.parametrize(
    "step",
    [
        AddDestination(KEY_A, Destination(A, Forwarding.TUNNEL, 1)),
        RemoveService(KEY_A),
        RemoveFlow(WEB, FlowMark(MARK_A, MARK_A)),
        RemovePolicy(MARK_A, Policy(restricted=True)),
        RefuseAddress(A),
    ],
)
def test_what_does_not_stop_forwarding_keeps_nothing_back(step: Step) -> None:
    assert unready(HELD, [failed(step)], frozenset()) == frozenset()


def test_no_failure_keeps_nothing_back() -> None:
    assert unready(HELD, [], frozenset()) == frozenset()
