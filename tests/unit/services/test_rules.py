from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.domain.terms import Scheduler
from lbaas.services import rules

spans = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=4
)


def ports(found: list[tuple[int, int]]) -> set[int]:
    return {port for first, last in found for port in range(first, last + 1)}


@given(spans, spans)
def test_overlap_is_found_exactly_when_a_port_is_common(
    wanted: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    common = ports(wanted) & ports(taken)
    found = rules.overlapping(wanted, [("other", taken)])

    assert (found is not None) == bool(common)
    if found is not None:
        assert ports([found[1]]) <= common


def test_overlap_names_the_listener_and_the_common_ports() -> None:
    others = [("a", [(80, 80)]), ("b", [(8000, 8100)])]

    assert rules.overlapping([(8090, 9000)], others) == ("b", (8090, 8100))


def test_a_member_outside_every_prefix_gets_the_allowed_ones_as_reason() -> None:
    prefixes = [ip_network("10.0.0.0/24"), ip_network("fd00::/64")]

    assert rules.outside(ip_address("10.0.0.7"), prefixes) is None
    assert rules.outside(ip_address("fd00::7"), prefixes) is None
    reason = rules.outside(ip_address("10.0.1.7"), prefixes)
    assert reason is not None
    assert "10.0.0.0/24, fd00::/64" in reason


def test_a_tenant_without_prefixes_may_have_no_member() -> None:
    reason = rules.outside(ip_address("10.0.0.7"), [])

    assert reason is not None
    assert "ask the operator" in reason


def test_a_tunnel_carries_its_own_family_only() -> None:
    assert rules.other_family(ip_address("10.0.0.7"), 4) is None
    assert rules.other_family(ip_address("10.0.0.7"), 6) is not None


@pytest.mark.parametrize("scheduler", list(Scheduler))
def test_any_scheduler_will_do_on_one_node(scheduler: Scheduler) -> None:
    assert rules.unlike_nodes(scheduler, 1) is None


def test_on_two_nodes_only_schedulers_that_choose_alike_will_do() -> None:
    refused = {word for word in Scheduler if rules.unlike_nodes(word, 2)}

    assert refused == {Scheduler.RR, Scheduler.WRR, Scheduler.LC, Scheduler.WLC}
