"""What verdicts make of services."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding, ProbeKind, ProbeTarget, Scheduler, WhenNoBackend
from lbaas.health.effect import Outlook, outlook, withdrawn
from lbaas.wire.state import Backend, Monitor, VirtualService

VIP, OTHER_VIP = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
A, B, C = (IPv4Address(f"10.0.20.{number}") for number in (11, 12, 13))
NOW_S = 1_000.0

MONITOR = Monitor(
    kind=ProbeKind.TCP,
    target=ProbeTarget.VIP,
    port=80,
    interval_ms=1000,
    timeout_ms=500,
    rise=2,
    fall=3,
)


def service(
    *backends: Backend,
    when: WhenNoBackend = WhenNoBackend.WITHDRAW,
    quorum: int = 1,
    monitor: Monitor | None = MONITOR,
    vip: Address = VIP,
) -> VirtualService:
    return VirtualService(
        mark=1,
        family=4,
        scheduler=Scheduler.MH,
        forwarding=Forwarding.TUNNEL,
        backends=backends,
        vip=vip,
        monitor=monitor,
        quorum=quorum,
        when_no_backend=when,
    )


def backend(address: Address, weight: int = 1, drain_until: int | None = None) -> Backend:
    return Backend(address=address, weight=weight, drain_until=drain_until)


def weights(seen: Outlook) -> list[int]:
    return [each.weight for each in seen.service.backends]


ALL = (backend(A, 5), backend(B, 6), backend(C, 7))

addresses = st.sampled_from([A, B, C])
services = st.builds(
    lambda found, when, quorum: service(*found, when=when, quorum=quorum),
    st.lists(
        st.builds(backend, addresses, st.integers(0, 3), st.none() | st.integers(990, 1010)),
        unique_by=lambda each: each.address,
    ),
    st.sampled_from(WhenNoBackend),
    st.integers(1, 4),
)


def test_an_unfit_backend_keeps_its_place_at_weight_0() -> None:
    seen = outlook(service(*ALL), {B}, NOW_S)
    assert weights(seen) == [5, 0, 7]
    assert seen.served


def test_a_service_with_nothing_to_change_is_the_very_same() -> None:
    wanted = service(*ALL)
    assert outlook(wanted, frozenset(), NOW_S).service is wanted


@pytest.mark.parametrize(
    ("when", "expected", "served"),
    [
        (WhenNoBackend.SEND_TO_ALL, [5, 6, 7], True),
        (WhenNoBackend.REJECT, [0, 0, 0], False),
        (WhenNoBackend.WITHDRAW, [0, 0, 0], False),
    ],
)
def test_with_no_backend_left_the_vip_says_what_happens(
    when: WhenNoBackend, expected: list[int], served: bool
) -> None:
    seen = outlook(service(*ALL, when=when), {A, B, C}, NOW_S)
    assert (weights(seen), seen.served) == (expected, served)


def test_fewer_fit_backends_than_the_quorum_are_none() -> None:
    refusing = outlook(service(*ALL, when=WhenNoBackend.REJECT, quorum=2), {A, B}, NOW_S)
    assert weights(refusing) == [0, 0, 0]
    leaving = outlook(service(*ALL, when=WhenNoBackend.WITHDRAW, quorum=2), {A, B}, NOW_S)
    # What still comes while routers act on the withdrawal is served.
    assert (weights(leaving), leaving.served) == ([0, 0, 7], False)


def test_a_drained_backend_counts_for_no_quorum() -> None:
    seen = outlook(service(backend(A, 0), backend(B), quorum=2), frozenset(), NOW_S)
    assert not seen.served


def test_a_backend_leaves_when_its_drain_is_over() -> None:
    draining = service(backend(A), backend(B, 0, drain_until=1_000))
    assert weights(outlook(draining, frozenset(), 999.9)) == [1, 0]
    assert weights(outlook(draining, frozenset(), 1_000)) == [1]


def test_drains_end_without_a_monitor_too() -> None:
    draining = service(backend(A), backend(B, 0, drain_until=1_000), monitor=None)
    assert weights(outlook(draining, frozenset(), NOW_S)) == [1]


def test_a_service_without_a_monitor_is_served_whatever_is_said_of_others() -> None:
    seen = outlook(service(*ALL, monitor=None), {A, B, C}, NOW_S)
    assert (weights(seen), seen.served) == ([5, 6, 7], True)


def test_a_vip_is_withdrawn_once_none_of_its_listeners_is_served() -> None:
    dead, alive = Outlook(service(), served=False), Outlook(service(), served=True)
    elsewhere = Outlook(service(vip=OTHER_VIP), served=True)
    refusing = Outlook(service(when=WhenNoBackend.REJECT), served=False)
    assert withdrawn([dead, dead, elsewhere]) == {VIP}
    assert withdrawn([dead, alive]) == frozenset()
    assert withdrawn([refusing]) == frozenset()


@given(services, st.frozensets(addresses))
def test_traffic_goes_to_fit_backends_or_to_all_or_to_none(
    wanted: VirtualService, unfit: frozenset[Address]
) -> None:
    seen = outlook(wanted, unfit, NOW_S)
    present = [
        each for each in wanted.backends if each.drain_until is None or each.drain_until > NOW_S
    ]
    configured = {each.address: each.weight for each in present}
    fit = {address: weight for address, weight in configured.items() if address not in unfit}
    got = {each.address: each.weight for each in seen.service.backends}
    assert list(got) == list(configured)
    traffic = {address: weight for address, weight in got.items() if weight}
    assert traffic in (
        {address: weight for address, weight in fit.items() if weight},
        {address: weight for address, weight in configured.items() if weight},
        {},
    )
    assert seen.served or wanted.when_no_backend is not WhenNoBackend.SEND_TO_ALL


@given(services, st.frozensets(addresses))
def test_looking_twice_changes_nothing_more(
    wanted: VirtualService, unfit: frozenset[Address]
) -> None:
    once = outlook(wanted, unfit, NOW_S)
    twice = outlook(once.service, unfit, NOW_S)
    if once.served:
        assert twice == once
