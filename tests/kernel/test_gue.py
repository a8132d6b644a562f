"""GUE's ports on a real kernel."""

from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address

import pytest

from lbaas.dataplane.gue.apply import apply
from lbaas.dataplane.gue.desired import Opening
from lbaas.dataplane.gue.netlink import FouSocket
from lbaas.dataplane.gue.plan import OpenPort, ShutPort, plan

BOTH = frozenset(
    {
        Opening(IPv4Address("127.0.0.1"), 6080),
        Opening(IPv4Address("127.0.0.1"), 5555),
        Opening(IPv6Address("::1"), 6080),
    }
)


@pytest.fixture
def fou() -> Iterator[FouSocket]:
    with closing(FouSocket()) as opened:
        yield opened
        apply(opened, plan(frozenset(opened.openings()), frozenset()).withdraw)


def test_ports_are_opened_seen_and_shut(fou: FouSocket) -> None:
    assert apply(fou, plan(frozenset(), BOTH).establish).failed == ()
    assert frozenset(fou.openings()) == BOTH
    assert apply(fou, plan(BOTH, frozenset()).withdraw).failed == ()
    assert frozenset(fou.openings()) == frozenset()


def test_an_opening_that_cannot_be_had_stops_no_other(fou: FouSocket) -> None:
    fine = OpenPort(Opening(IPv4Address("127.0.0.1"), 6080))
    homeless = OpenPort(Opening(IPv4Address("192.0.2.1"), 6080))
    outcome = apply(fou, [homeless, fine, fine])
    assert outcome.applied == (fine,)
    assert [error.cause for _, error in outcome.failed] == [
        "Cannot assign requested address",
        "Address already in use",
    ]


def test_shutting_a_port_that_nobody_opened_fails(fou: FouSocket) -> None:
    outcome = apply(fou, [ShutPort(Opening(IPv4Address("127.0.0.1"), 6080))])
    assert len(outcome.failed) == 1
