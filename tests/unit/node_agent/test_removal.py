"""How many services may go at once, and what an operator's word changes."""

import pytest

from lbaas.dataplane.ipvs.desired import ServiceKey
from lbaas.node_agent.removal import Leave, RemovalGuard
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=1, last=0xFFFF)
HALF = Leave(50, None, MARKS)


def services(count: int) -> frozenset[ServiceKey]:
    return frozenset(ServiceKey(4, mark) for mark in range(count))


@pytest.mark.parametrize(("removed", "of"), [(0, 0), (19, 19), (20, 40), (500, 1000)])
def test_few_or_a_small_share_may_go(removed: int, of: int) -> None:
    guard = RemovalGuard()
    assert not guard.holds(services(removed), of, 7, HALF)
    assert guard.failure() is None


@pytest.mark.parametrize(("removed", "of"), [(20, 20), (20, 39), (501, 1000)])
def test_more_than_the_share_stays(removed: int, of: int) -> None:
    guard = RemovalGuard()
    assert guard.holds(services(removed), of, 7, HALF)
    assert guard.held is not None
    assert (guard.held.revision, guard.held.services, guard.held.of) == (7, removed, of)
    failure = guard.failure()
    assert failure is not None
    assert "revision 7" in failure.cause


def test_the_revision_to_confirm_is_the_first_that_asked_for_as_much() -> None:
    guard = RemovalGuard()
    guard.holds(services(40), 60, 7, HALF)
    assert guard.holds(services(36), 60, 8, HALF)
    assert guard.held is not None
    assert guard.held.revision == 7
    assert not guard.holds(services(36), 60, 9, Leave(50, 7, MARKS))
    assert guard.held is None


def test_more_than_what_was_confirmed_stays() -> None:
    guard = RemovalGuard()
    guard.holds(services(40), 60, 7, HALF)
    assert guard.holds(services(50), 60, 8, Leave(50, 7, MARKS))
    assert guard.held is not None
    assert guard.held.revision == 8


def test_a_state_that_takes_it_back_ends_the_matter() -> None:
    guard = RemovalGuard()
    guard.holds(services(40), 60, 7, HALF)
    assert not guard.holds(services(0), 30, 8, HALF)
    assert guard.held is None


def test_services_of_the_nodes_own_checks_do_not_count() -> None:
    own, others = ServiceKey(4, 0xFFFF), ServiceKey(4, 0x10000)
    assert HALF.counted([own, others]) == {own}
