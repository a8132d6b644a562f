"""The links' law on a real kernel."""

from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address

import pytest
from hypothesis import HealthCheck, given, settings

from lbaas.dataplane.link.apply import apply
from lbaas.dataplane.link.desired import VIP_DEVICE, Alias, LinkTable
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.observe import observe
from lbaas.dataplane.link.plan import AddAddress, plan
from lbaas.errors import StepFailed
from tests.unit.dataplane.link.test_plan import tables


@pytest.fixture
def link() -> Iterator[LinkSocket]:
    with closing(LinkSocket()) as opened:
        yield opened
        bring_to(opened, LinkTable())


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
    link.devices.link("add", ifname=VIP_DEVICE, kind="bridge")
    try:
        with pytest.raises(StepFailed, match="bridge device, not ours"):
            observe(link)
    finally:
        link.devices.link("del", ifname=VIP_DEVICE)


def test_a_device_that_somebody_took_down_is_brought_up(link: LinkSocket) -> None:
    desired = LinkTable(frozenset({VIP_DEVICE}))
    bring_to(link, desired)
    link.devices.link("set", ifname=VIP_DEVICE, state="down")
    assert observe(link) == LinkTable()
    bring_to(link, desired)
    assert observe(link) == desired


def test_an_address_that_cannot_be_had_stops_no_other(link: LinkSocket) -> None:
    bring_to(link, LinkTable(frozenset({VIP_DEVICE})))
    fine, taken, homeless = (
        AddAddress(Alias(VIP_DEVICE, IPv4Address("198.51.100.1"))),
        AddAddress(Alias(VIP_DEVICE, IPv4Address("198.51.100.1"))),
        AddAddress(Alias("lbtun4", IPv4Address("198.51.100.2"))),
    )
    outcome = apply(link, [fine, taken, homeless])
    assert outcome.applied == (fine,)
    assert [error.cause for _, error in outcome.failed] == ["File exists", "No such device"]


def test_a_thousand_addresses_are_held_and_seen(link: LinkSocket) -> None:
    many = frozenset(
        Alias(VIP_DEVICE, IPv4Address(int(IPv4Address("198.18.0.1")) + n)) for n in range(1000)
    )
    bring_to(link, LinkTable(frozenset({VIP_DEVICE}), many))
    assert observe(link).aliases == many
