"""The host's table. The golden is fed to the real nft in tests/integration/programs."""

from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from lbaas.dataplane.guard.apply import transaction
from lbaas.dataplane.guard.desired import declaration, guard
from lbaas.dataplane.guard.plan import ReplaceTable
from lbaas.domain.terms import Encapsulation
from lbaas.wire.state import HostState, Tunnel
from tests.golden_files import assert_golden

STATE = HostState(
    host=UUID(int=1),
    revision=1,
    endpoints=(IPv4Address("10.0.20.11"), IPv6Address("fd00:20::11")),
    vips=(IPv4Address("198.51.100.1"), IPv6Address("2001:db8:100::1")),
    nodes=(IPv4Address("10.0.10.12"), IPv4Address("10.0.10.11"), IPv6Address("fd00:10::11")),
)
EMPTY = HostState(host=UUID(int=1), revision=1, endpoints=(), vips=(), nodes=())


def test_a_dual_stack_host() -> None:
    text = declaration(guard(STATE, {4: 1500, 6: 9000}))
    assert_golden("guard-dual-stack.nft", transaction(ReplaceTable(text)))


def test_a_host_that_opens_gre_and_gue_lets_only_nodes_in_there_too() -> None:
    gue = Tunnel(encapsulation=Encapsulation.GUE, port=5555)
    tunnels = (Tunnel(encapsulation=Encapsulation.GRE), gue, Tunnel())
    text = declaration(guard(STATE.model_copy(update={"tunnels": tunnels}), {4: 1500, 6: 1500}))
    assert_golden("guard-every-tunnel.nft", transaction(ReplaceTable(text)))


def test_segments_leave_room_for_the_largest_wrapping_in_the_families_that_there_are() -> None:
    assert guard(STATE, {4: 1500, 6: 1500}).segment_sizes == {4: 1440, 6: 1400}
    gue = STATE.model_copy(update={"tunnels": (Tunnel(), Tunnel(encapsulation=Encapsulation.GUE))})
    assert guard(gue, {4: 1500, 6: 9000}).segment_sizes == {4: 1428, 6: 8888}
    assert guard(STATE, {6: 1500}).segment_sizes == {4: 1420, 6: 1400}
    assert guard(STATE, {4: 1500}).segment_sizes == {4: 1440, 6: 1420}
    assert guard(EMPTY, {}).segment_sizes == {}


def test_a_host_of_no_vip_lets_nobody_in() -> None:
    assert_golden("guard-empty.nft", transaction(ReplaceTable(declaration(guard(EMPTY, {})))))
