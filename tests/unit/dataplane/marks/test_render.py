"""The text that nftables gets. The golden is fed to the real nft in tests/integration/programs."""

from ipaddress import IPv4Address, IPv6Address

from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.plan import (
    AddVip,
    ForgetDrops,
    MarkStep,
    RemoveFlow,
    RemovePolicy,
    RemoveVip,
    ReplaceTable,
    SetFlow,
    SetPolicy,
)
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.marks.render import transaction
from lbaas.dataplane.marks.rules import declaration
from lbaas.wire.state import MarkRange
from tests.golden_files import assert_golden

DECLARATION = declaration(MarkRange(first=0x10000000, last=0x1000FFFF))
V4, V6 = IPv4Address("198.51.100.1"), IPv6Address("2001:db8:100::1")
WEB = FlowKey(V4, 6, 80, 80)
RANGE = FlowKey(V6, 17, 8000, 8999)


POLICY = Policy(restricted=True, per_second=7)
SOURCES = frozenset(
    {
        Span(IPv4Address("10.0.0.0"), IPv4Address("10.0.2.255")),
        Span(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.1")),
    }
)


def mark(value: int) -> FlowMark:
    return FlowMark(value, value)


def test_a_whole_table() -> None:
    content = MarkTable(
        "rules",
        frozenset({V4}),
        {
            WEB: FlowMark(0x10000000, 0x10000000, SOURCES),
            RANGE: mark(0x10000001),
            FlowKey(V4, 132, 1, 65535): mark(0x10000002),
        },
        {
            0x10000000: POLICY,
            0x10000002: Policy(per_second=7),
        },
        {("source", 0x10000000): 12},
    )
    assert_golden("marks-table.nft", transaction([ReplaceTable(content)], DECLARATION))


def test_elements_come_and_go() -> None:
    steps: list[MarkStep] = [
        AddVip(V6),
        SetFlow(RANGE, mark(0x10000003), ((RANGE, mark(0x10000001)),)),
        RemoveFlow(WEB, FlowMark(0x10000000, None, SOURCES)),
        RemoveVip(V4),
        SetPolicy(0x10000000, Policy(per_second=9), POLICY),
        RemovePolicy(0x10000002, Policy(per_second=7)),
        ForgetDrops("source", 0x10000000),
    ]
    assert_golden("marks-elements.nft", transaction(steps, DECLARATION))
