"""What others have in the kernel, and what of it a node reports."""

import pytest

from lbaas.node_agent.foreign import FwmarkRule, Surroundings, described, split_tables
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
ALONE = Surroundings(0, {}, (), (), ())

RULESET = """\
table inet lbaas {
\tchain prerouting {
\t\tmeta mark set ip daddr map @flows4
\t}
}
table ip mangle {
\tchain PREROUTING {
\t\tmeta mark set 0x00000001
\t}
}
table inet filter {
\tchain input {
\t\tct state invalid drop
\t}
}
"""


def test_a_node_by_itself_has_nothing_to_report() -> None:
    assert described(ALONE, MARKS) == ()


def test_other_tables_are_told_from_ours_and_read() -> None:
    tables = split_tables(RULESET)
    assert tables.keys() == {"ip mangle", "inet filter"}
    found = Surroundings(0, tables, (), (), ())
    stateful, marking = described(found, MARKS)
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
