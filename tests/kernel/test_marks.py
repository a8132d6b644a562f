"""The marks' law on the real nftables."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings

from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FAMILY, TABLE, FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.observe import drops, expected_structure, observe
from lbaas.dataplane.marks.plan import RemovePolicy, ReplaceTable, SetFlow, SetPolicy, plan
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.domain.addresses import Address
from lbaas.wire.state import MarkRange
from tests.unit.dataplane.marks.test_plan import RANGE, VIP, WEB, desired_tables, mark

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
RULES = declaration(MARKS)


@pytest.fixture
def nft() -> Iterator[Nft]:
    with closing(Nft()) as opened:
        opened.run(f"add table {FAMILY} {TABLE}")
        opened.run(f"delete table {FAMILY} {TABLE}")
        yield opened
        opened.run(f"add table {FAMILY} {TABLE}")
        opened.run(f"delete table {FAMILY} {TABLE}")


@pytest.fixture
def netfilter() -> Iterator[NfSocket]:
    with closing(NfSocket()) as opened:
        yield opened


def bring_to(nft: Nft, netfilter: NfSocket, desired: MarkTable) -> None:
    steps = plan(observe(nft, netfilter), desired)
    for half in (steps.establish, steps.withdraw):
        assert apply(nft, netfilter, half, RULES).failed == ()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted=desired_tables)
def test_one_plan_brings_nftables_to_any_table_and_the_next_is_empty(
    nft: Nft, netfilter: NfSocket, wanted: MarkTable
) -> None:
    desired = replace(wanted, structure=expected_structure(nft, MARKS))
    bring_to(nft, netfilter, desired)
    assert observe(nft, netfilter) == desired
    assert len(plan(observe(nft, netfilter), desired)) == 0


POLICY = Policy(restricted=True, per_second=7)
SOURCES = frozenset({Span(IPv4Address("10.0.0.0"), IPv4Address("10.0.2.255"))})


def some(nft: Nft) -> MarkTable:
    flows = {WEB: FlowMark(MARKS.first, MARKS.first, SOURCES), RANGE: mark(MARKS.first + 1)}
    return MarkTable(expected_structure(nft, MARKS), frozenset({VIP}), flows, {MARKS.first: POLICY})


@pytest.mark.parametrize(
    "drift",
    [
        "flush chain inet lbaas input",
        "insert rule inet lbaas vip4 accept",
        "add chain inet lbaas alien",
        "flush chain inet lbaas rate_7",
        "insert rule inet lbaas rate_7 accept",
        "add chain inet lbaas rate_9",
        "add table inet lbaas {\nflags dormant\n}",
    ],
)
def test_a_drifted_structure_is_replaced_in_one_step(
    nft: Nft, netfilter: NfSocket, drift: str
) -> None:
    bring_to(nft, netfilter, some(nft))
    nft.run(drift)
    (step,) = plan(observe(nft, netfilter), some(nft)).establish
    assert isinstance(step, ReplaceTable)
    bring_to(nft, netfilter, some(nft))
    assert observe(nft, netfilter) == some(nft)


@pytest.mark.parametrize(
    "drift",
    [
        f"delete element inet lbaas errors4 {{ 0xc6336401 . 6 . 80 : {MARKS.first:#x} }}",
        "delete element inet lbaas sources4 { 198.51.100.1 . 6 . 80 . 10.0.0.0-10.0.2.255 }",
        "add element inet lbaas sources4 { 198.51.100.1 . 6 . 80 . 192.0.2.1 }",
        "add element inet lbaas sources4 { 198.51.100.1 . 6 . 8000-8999 . 0.0.0.0/0 }",
    ],
)
def test_a_drifted_element_is_put_back_and_nothing_else_is_touched(
    nft: Nft, netfilter: NfSocket, drift: str
) -> None:
    bring_to(nft, netfilter, some(nft))
    nft.run(drift)
    (step,) = plan(observe(nft, netfilter), some(nft)).establish
    assert isinstance(step, SetFlow)
    bring_to(nft, netfilter, some(nft))
    assert observe(nft, netfilter) == some(nft)


@pytest.mark.parametrize(
    "drift",
    [
        f"delete element inet lbaas policed {{ {MARKS.first:#x} }}",
        f"delete element inet lbaas restricted {{ {MARKS.first:#x} }}",
        f"delete element inet lbaas rates {{ {MARKS.first:#x} : goto rate_7 }}",
        f"add element inet lbaas policed {{ {MARKS.first + 1:#x} }}",
        f"add element inet lbaas rates {{ {MARKS.first + 1:#x} : goto refuse }}",
    ],
)
def test_a_drifted_policy_is_put_right_and_nothing_else_is_touched(
    nft: Nft, netfilter: NfSocket, drift: str
) -> None:
    bring_to(nft, netfilter, some(nft))
    nft.run(drift)
    (step,) = plan(observe(nft, netfilter), some(nft)).establish
    assert isinstance(step, SetPolicy | RemovePolicy)
    bring_to(nft, netfilter, some(nft))
    assert observe(nft, netfilter) == some(nft)


def test_a_new_limit_changes_no_rule_that_another_needs(nft: Nft, netfilter: NfSocket) -> None:
    bring_to(nft, netfilter, some(nft))
    slower = replace(POLICY, per_second=3)
    wanted = replace(some(nft), policies={MARKS.first: POLICY, MARKS.first + 1: slower})
    (step,) = plan(observe(nft, netfilter), wanted).establish
    assert step == SetPolicy(MARKS.first + 1, slower)
    bring_to(nft, netfilter, wanted)
    assert observe(nft, netfilter) == wanted
    bring_to(nft, netfilter, some(nft))  # the chain of the limit stays, and is no drift
    assert observe(nft, netfilter) == some(nft)


def test_what_was_counted_survives_the_replacement_of_the_table(
    nft: Nft, netfilter: NfSocket
) -> None:
    bring_to(nft, netfilter, some(nft))
    counted = {("source", MARKS.first): 5, ("rate", MARKS.first + 1): 6, ("malformed", 7): 8}
    for (cause, counted_mark), packets in counted.items():
        nft.run(
            f"add element inet lbaas dropped_{cause} "
            f"{{ {counted_mark:#x} counter packets {packets} bytes 0 }}"
        )
    assert drops(nft) == counted
    nft.run("flush chain inet lbaas input")
    bring_to(nft, netfilter, some(nft))
    del counted["malformed", 7]  # of a mark that no listener has
    assert drops(nft) == counted


def test_a_table_that_is_gone_is_made_and_filled(nft: Nft, netfilter: NfSocket) -> None:
    bring_to(nft, netfilter, some(nft))
    nft.run(f"delete table {FAMILY} {TABLE}")
    bring_to(nft, netfilter, some(nft))
    assert observe(nft, netfilter) == some(nft)


def test_one_refused_step_stops_no_other(nft: Nft, netfilter: NfSocket) -> None:
    bring_to(nft, netfilter, some(nft))
    taken = SetFlow(
        WEB, mark(MARKS.first + 7)
    )  # says nothing of what it replaces: the kernel refuses
    fine = SetFlow(type(WEB)(VIP, 17, 53, 53), mark(MARKS.first + 8))
    outcome = apply(nft, netfilter, [taken, fine], RULES)
    assert outcome.applied == (fine,)
    assert [step for step, _ in outcome.failed] == [taken]


def test_ten_thousand_flows_of_both_families_are_placed_and_seen(
    nft: Nft, netfilter: NfSocket
) -> None:
    vips: list[Address] = [IPv4Address(0xC6336400 + n) for n in range(5000)]
    vips6: list[Address] = [IPv6Address((0x20010DB8 << 96) + n) for n in range(5000)]
    flows = {FlowKey(vip, 6, 80, 80): mark(MARKS.first) for vip in (*vips, *vips6)}
    many = MarkTable(expected_structure(nft, MARKS), frozenset((*vips, *vips6)), flows)
    bring_to(nft, netfilter, many)
    deadline = (
        time.monotonic() + 60
    )  # a listing lacks some while the kernel enlarges its hash tables
    while observe(nft, netfilter) != many:
        assert time.monotonic() < deadline


def test_what_a_listing_lacked_is_added_once_more_without_harm(
    nft: Nft, netfilter: NfSocket
) -> None:
    bring_to(nft, netfilter, some(nft))
    half_seen = SetFlow(WEB, some(nft).flows[WEB], ((WEB, FlowMark(MARKS.first, None)),))
    assert apply(nft, netfilter, [half_seen], RULES).failed == ()
    assert observe(nft, netfilter) == some(nft)
