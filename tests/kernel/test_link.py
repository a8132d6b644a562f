"""The links' law on a real kernel."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from pyroute2 import IPRoute

from lbaas.dataplane.link.apply import apply
from lbaas.dataplane.link.desired import VIP_DEVICE, LinkTable
from lbaas.dataplane.link.observe import observe
from lbaas.dataplane.link.plan import plan
from lbaas.errors import StepFailed
from tests.unit.dataplane.link.test_plan import tables


@pytest.fixture
def netlink() -> Iterator[IPRoute]:
    with IPRoute() as opened:
        yield opened
        bring_to(opened, LinkTable())


def bring_to(netlink: IPRoute, desired: LinkTable) -> None:
    steps = plan(observe(netlink), desired)
    for half in (steps.establish, steps.withdraw):
        assert apply(netlink, half).failed == ()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(desired=tables())
def test_one_plan_brings_the_kernel_to_any_table_and_the_next_is_empty(
    netlink: IPRoute, desired: LinkTable
) -> None:
    bring_to(netlink, desired)
    assert observe(netlink) == desired
    assert len(plan(observe(netlink), desired)) == 0


def test_a_device_of_our_name_that_is_not_ours_is_left_alone(netlink: IPRoute) -> None:
    netlink.link("add", ifname=VIP_DEVICE, kind="bridge")
    try:
        with pytest.raises(StepFailed, match="bridge device, not ours"):
            observe(netlink)
    finally:
        netlink.link("del", ifname=VIP_DEVICE)


def test_a_device_that_somebody_took_down_is_brought_up(netlink: IPRoute) -> None:
    desired = LinkTable(frozenset({VIP_DEVICE}))
    bring_to(netlink, desired)
    netlink.link("set", ifname=VIP_DEVICE, state="down")
    assert observe(netlink) == LinkTable()
    bring_to(netlink, desired)
    assert observe(netlink) == desired
