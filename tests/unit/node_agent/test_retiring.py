"""What a node holds of a VIP that is no longer announced."""

from dataclasses import replace
from ipaddress import IPv4Address

from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.domain.addresses import Address, host_prefix
from lbaas.domain.terms import Forwarding
from lbaas.node_agent.picture import Picture, VipTables
from lbaas.node_agent.retiring import RETIRE_S, Retiring

A, B = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")


def vip(address: Address, mark: int) -> VipTables:
    """A VIP with one listener of the given mark."""
    flows = {FlowKey(address, 6, 80, 80): FlowMark(mark, mark)}
    return VipTables(
        {ServiceKey(4, mark): Service("mh", 0x18, ())},
        MarkTable(None, frozenset({address}), flows),
        host_prefix(address),
    )


def unannounced(tables: VipTables) -> VipTables:
    return replace(tables, prefix=None)


HELD: Picture = {A: vip(A, 1), B: vip(B, 2)}


def test_what_is_announced_is_held_as_it_is() -> None:
    retiring = Retiring()
    assert retiring.held({}, {A, B}, HELD, now_s=0) == HELD
    assert not retiring.pending


def test_a_deleted_vip_is_held_whole_but_not_announced_and_then_goes() -> None:
    retiring = Retiring()
    assert retiring.held(HELD, {B}, {}, now_s=10) == {B: unannounced(vip(B, 2))}
    assert retiring.pending
    assert retiring.expired(10 + RETIRE_S - 0.1) == frozenset()
    assert retiring.expired(10 + RETIRE_S) == {B}
    assert not retiring.pending
    assert retiring.held({B: unannounced(vip(B, 2))}, {B}, {}, now_s=14) == {}


def test_a_vip_that_comes_back_does_not_retire() -> None:
    retiring = Retiring()
    retiring.held(HELD, {B}, {}, now_s=1)
    assert retiring.held({A: vip(A, 1)}, {B}, {B: vip(B, 3)}, now_s=2) == {B: vip(B, 3)}
    assert not retiring.pending


def test_a_mark_with_a_new_meaning_does_not_keep_the_old_one() -> None:
    retiring = Retiring()
    after = retiring.held({B: vip(B, 2)}, {A, B}, {A: vip(A, 2)}, now_s=1)
    assert after == {A: vip(A, 2), B: VipTables(marks=MarkTable(None, frozenset({B})))}


def test_a_mark_is_taken_also_from_a_vip_that_retires_already() -> None:
    retiring = Retiring()
    during = retiring.held({B: vip(B, 2)}, {B}, {}, now_s=1)
    after = retiring.held(during, {A}, {A: vip(A, 2)}, now_s=2)
    assert after == {A: vip(A, 2), B: VipTables(marks=MarkTable(None, frozenset({B})))}


def test_a_vip_without_a_listener_any_more_is_held_with_the_listener_it_had() -> None:
    bare = VipTables(marks=MarkTable(None, frozenset({A})))
    assert Retiring().held(HELD, {A}, {A: bare}, now_s=1) == {A: unannounced(vip(A, 1))}


def test_a_local_vip_that_is_left_to_other_nodes_serves_its_last_flows_as_before() -> None:
    """Its backend drains, and so takes no new flows; but routers still send some. Elsewhere the drain is at once."""
    taking, drained = (
        {ServiceKey(4, 2): Service("mh", 0x18, (Destination(A, Forwarding.TUNNEL, weight),))}
        for weight in (1, 0)
    )
    for alike, kept in ((False, taking), (True, drained)):
        tables = replace(vip(B, 2), services=taking, alike=alike)
        before: Picture = {B: tables}
        after: Picture = {B: replace(unannounced(tables), services=drained)}
        retiring = Retiring()
        assert retiring.held(before, {B}, after, now_s=1)[B].services == kept
        assert retiring.expired(1 + RETIRE_S) == {B}
        left: Picture = {B: unannounced(tables)}
        assert retiring.held(left, {B}, after, now_s=5)[B].services == drained
