"""What a node holds of a VIP that is no longer announced."""

from ipaddress import IPv4Address
from uuid import UUID

from lbaas.domain.addresses import host_prefix
from lbaas.domain.terms import Forwarding, Protocol, Scheduler
from lbaas.node_agent.retiring import RETIRE_S, Retiring
from lbaas.wire.state import ClusterState, Flow, MarkRange, PortRange, VirtualService

A, B = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")


def state(**marks: int) -> ClusterState:
    """VIPs by their letter, each with one listener of the given mark."""
    vips = {"a": A, "b": B}
    held = {vips[letter]: mark for letter, mark in marks.items()}
    return ClusterState(
        cluster=UUID(int=1),
        revision=1,
        as_number=65001,
        marks=MarkRange(first=1, last=9),
        nodes={},
        peers=(),
        vips=tuple(held),
        announced=tuple(host_prefix(vip) for vip in held),
        services=tuple(
            VirtualService(
                mark=mark,
                family=4,
                scheduler=Scheduler.MH,
                forwarding=Forwarding.TUNNEL,
                backends=(),
                vip=vip,
            )
            for vip, mark in held.items()
        ),
        flows=tuple(
            Flow(vip=vip, protocol=Protocol.TCP, ports=PortRange(first=80, last=80), mark=mark)
            for vip, mark in held.items()
        ),
    )


def test_what_is_announced_is_held_as_it_is() -> None:
    retiring = Retiring()
    assert retiring.held(state(a=1, b=2), now_s=0) == state(a=1, b=2)
    assert not retiring.pending


def test_a_deleted_vip_is_held_whole_but_not_announced_and_then_goes() -> None:
    retiring = Retiring()
    retiring.held(state(a=1, b=2), now_s=0)
    during = retiring.held(state(a=1), now_s=10)
    assert (during.vips, during.flows, during.services) == (
        state(a=1, b=2).vips,
        state(a=1, b=2).flows,
        state(a=1, b=2).services,
    )
    assert during.announced == state(a=1).announced
    assert retiring.pending
    assert retiring.held(state(a=1), now_s=10 + RETIRE_S - 0.1) == during
    assert retiring.held(state(a=1), now_s=10 + RETIRE_S) == state(a=1)
    assert not retiring.pending


def test_a_vip_that_comes_back_does_not_retire() -> None:
    retiring = Retiring()
    retiring.held(state(a=1, b=2), now_s=0)
    retiring.held(state(a=1), now_s=1)
    assert retiring.held(state(a=1, b=3), now_s=2) == state(a=1, b=3)
    assert not retiring.pending


def test_a_mark_with_a_new_meaning_does_not_keep_the_old_one() -> None:
    retiring = Retiring()
    retiring.held(state(b=2), now_s=0)
    during = retiring.held(state(a=2), now_s=1)
    assert during.flows == state(a=2).flows
    assert during.services == state(a=2).services
    assert during.vips == (A, B)


def test_a_vip_without_a_listener_any_more_is_held_with_the_listener_it_had() -> None:
    retiring = Retiring()
    retiring.held(state(a=1), now_s=0)
    bare = state(a=1).model_copy(update={"announced": (), "flows": (), "services": ()})
    during = retiring.held(bare, now_s=1)
    assert (during.flows, during.services) == (state(a=1).flows, state(a=1).services)
    assert during.vips == (A,)
