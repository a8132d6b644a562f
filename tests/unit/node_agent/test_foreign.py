"""What others have in the kernel, and what of it a node reports."""

import pytest

from lbaas.node_agent.foreign import FwmarkRule, Surroundings, described
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
ALONE = Surroundings(0, {}, (), (), ())

TABLES = {
    "ip mangle": "\tchain PREROUTING {\n\t\tmeta mark set 0x00000001\n\t}\n",
    "inet filter": "\tchain input {\n\t\tct state invalid drop\n\t}\n",
    "inet numeric": "\tchain input {\n\t\tct state 0x1 drop\n\t}\n",
    "inet harmless": "\tchain input {\n\t\tct state established accept\n\t}\n",
}


def test_a_node_by_itself_has_nothing_to_report() -> None:
    assert described(ALONE, MARKS) == ()


def test_tables_that_mark_or_that_drop_by_state_are_reported() -> None:
    found = Surroundings(0, TABLES, (), (), ())
    stateful, numeric, marking = described(found, MARKS)
    assert "inet numeric drops" in numeric
    assert "inet filter drops by connection state" in stateful
    assert "ip mangle sets packet marks" in marking


@pytest.mark.parametrize(
    ("rule", "concerns"),
    [
        (FwmarkRule(100, 0x10000000, 0xFFFF0000), True),
        (FwmarkRule(100, 0x0, 0xFF000000), False),
        (FwmarkRule(100, 0x1, 0xFFFFFFFF), False),
        (FwmarkRule(100, 0x1000FFFF, 0xFFFFFFFF), True),
    ],
)
def test_a_routing_rule_is_reported_if_packets_of_ours_match_it(
    rule: FwmarkRule, *, concerns: bool
) -> None:
    assert bool(described(Surroundings(0, {}, (rule,), (), ()), MARKS)) is concerns


def test_services_strict_filters_and_old_tables_are_reported() -> None:
    found = Surroundings(2, {}, (), ("all", "eth0"), ("filter",))
    services, strict, legacy = described(found, MARKS)
    assert services == "IPVS: 2 services that are not ours"
    assert "strict on all, eth0" in strict
    assert "filter" in legacy
