"""The links' law on a real kernel."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings

from lbaas.dataplane.link.apply import apply
from lbaas.dataplane.link.desired import TUNNEL4_DEVICE, TUNNEL6_DEVICE, Alias, LinkTable
from lbaas.dataplane.link.netlink import LOOPBACK, LinkSocket
from lbaas.dataplane.link.observe import observe
from lbaas.dataplane.link.plan import AddAddress, plan
from lbaas.dataplane.link.routing import Way, routing
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed
from tests.unit.dataplane.link.test_plan import tables


@pytest.fixture
def link() -> Iterator[LinkSocket]:
    with closing(LinkSocket()) as opened:
        yield opened
        bring_to(opened, LinkTable())


def index_of(link: LinkSocket, name: str) -> int:
    index = link.index_of(name)
    assert index is not None
    return index


def bring_to(link: LinkSocket, desired: LinkTable) -> None:
    steps = plan(observe(link), desired)
    for half in (steps.establish, steps.withdraw):
        assert apply(link, half).failed == ()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(desired=tables())
def test_one_plan_brings_the_kernel_to_any_table_and_the_next_is_empty(
    link: LinkSocket, desired: LinkTable
) -> None:
    bring_to(link, desired)
    assert observe(link) == desired
    assert len(plan(observe(link), desired)) == 0


def test_a_device_of_our_name_that_is_not_ours_is_left_alone(link: LinkSocket) -> None:
    link.create(TUNNEL4_DEVICE, "bridge")
    try:
        with pytest.raises(StepFailed, match="bridge device, not ours"):
            observe(link)
    finally:
        link.delete(index_of(link, TUNNEL4_DEVICE))


def test_a_device_that_somebody_took_down_is_brought_up(link: LinkSocket) -> None:
    desired = LinkTable(frozenset({TUNNEL4_DEVICE}))
    bring_to(link, desired)
    link.set_up(index_of(link, TUNNEL4_DEVICE), up=False)
    assert observe(link) == LinkTable()
    bring_to(link, desired)
    assert observe(link) == desired


def test_an_address_that_cannot_be_had_stops_no_other(link: LinkSocket) -> None:
    bring_to(link, LinkTable(frozenset({TUNNEL4_DEVICE})))
    fine, taken, homeless = (
        AddAddress(Alias(TUNNEL4_DEVICE, IPv4Address("198.51.100.1"))),
        AddAddress(Alias(TUNNEL4_DEVICE, IPv4Address("198.51.100.1"))),
        AddAddress(Alias("lbgre4", IPv4Address("198.51.100.2"))),
    )
    outcome = apply(link, [fine, taken, homeless])
    assert outcome.applied == (fine,)
    assert [error.cause for _, error in outcome.failed] == ["File exists", "No such device"]


def test_a_thousand_addresses_are_accepted_and_seen(link: LinkSocket) -> None:
    many = frozenset(IPv4Address("198.18.0.1") + n for n in range(1000))
    bring_to(link, LinkTable(accepted=many))
    assert observe(link).accepted == many


@pytest.mark.parametrize("address", [IPv4Address("198.51.100.1"), IPv6Address("2001:db8:100::1")])
def test_an_accepted_address_that_a_device_held_for_a_while_is_still_accepted(
    link: LinkSocket, address: Address
) -> None:
    accepted = LinkTable(accepted=frozenset({address}))
    held = LinkTable(frozenset({TUNNEL6_DEVICE}), frozenset({Alias(TUNNEL6_DEVICE, address)}))
    bring_to(link, accepted)
    bring_to(link, replace(held, accepted=accepted.accepted))
    bring_to(link, accepted)
    assert observe(link) == accepted
    with routing() as asked:
        assert asked.device_towards(address) == "lo"  # whither packets to this machine go
    assert link.index_towards(address) == LOOPBACK


def test_a_way_is_told_with_its_device_router_and_size(link: LinkSocket) -> None:
    for command in (
        "ip link add way0 type dummy",
        "ip link set way0 mtu 1400 up",
        "ip address add 192.0.2.1/24 dev way0",
        "ip route add 203.0.113.0/24 via 192.0.2.9 mtu 1300",
        "ip route add unreachable 203.0.113.128/25",
    ):
        subprocess.run(command.split(), check=True)
    try:
        with routing() as asked:
            assert asked.way_towards(IPv4Address("192.0.2.7")) == Way("way0", 1400, None)
            router = Way("way0", 1300, IPv4Address("192.0.2.9"))
            assert asked.way_towards(IPv4Address("203.0.113.7"), IPv4Address("192.0.2.1")) == router
            assert asked.way_towards(IPv4Address("203.0.113.200")) is None
        assert link.index_towards(IPv4Address("203.0.113.7")) == link.index_of("way0")
        assert link.index_towards(IPv4Address("203.0.113.200")) is None
    finally:
        subprocess.run(["ip", "route", "del", "unreachable", "203.0.113.128/25"], check=True)
        subprocess.run(["ip", "link", "del", "way0"], check=True)


def test_rules_for_marks_are_told_and_no_others() -> None:
    rule = ["from", "all", "fwmark", "0x10/0xf0", "lookup", "main", "priority", "77"]
    subprocess.run(["ip", "rule", "add", *rule], check=True)
    try:
        with routing() as asked:
            assert list(asked.fwmark_rules()) == [(77, 0x10, 0xF0)]
    finally:
        subprocess.run(["ip", "rule", "del", *rule], check=True)


def test_local_routes_of_others_are_left_alone(link: LinkSocket) -> None:
    route = ["local", "198.51.100.9", "dev", "lo"]
    subprocess.run(["ip", "route", "add", *route], check=True)
    assert observe(link) == LinkTable()
    subprocess.run(["ip", "route", "del", *route], check=True)
