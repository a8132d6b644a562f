"""The marks' law on the real nftables."""

from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings

from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FAMILY, TABLE, FlowKey, MarkTable, declaration
from lbaas.dataplane.marks.observe import expected_structure, observe
from lbaas.dataplane.marks.plan import ReplaceTable, SetFlow, plan
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
    desired = MarkTable(expected_structure(nft, MARKS), wanted.vips, wanted.flows)
    bring_to(nft, netfilter, desired)
    assert observe(nft, netfilter) == desired
    assert len(plan(observe(nft, netfilter), desired)) == 0


def some(nft: Nft) -> MarkTable:
    flows = {WEB: mark(MARKS.first), RANGE: mark(MARKS.first + 1)}
    return MarkTable(expected_structure(nft, MARKS), frozenset({VIP}), flows)


@pytest.mark.parametrize(
    "drift",
    [
        "flush chain inet lbaas input",
        "insert rule inet lbaas vip4 accept",
        "add chain inet lbaas alien",
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


def test_a_table_that_is_gone_is_made_and_filled(nft: Nft, netfilter: NfSocket) -> None:
    bring_to(nft, netfilter, some(nft))
    nft.run(f"delete table {FAMILY} {TABLE}")
    bring_to(nft, netfilter, some(nft))
    assert observe(nft, netfilter) == some(nft)


def test_a_lost_element_is_put_back_and_nothing_else_is_touched(
    nft: Nft, netfilter: NfSocket
) -> None:
    bring_to(nft, netfilter, some(nft))
    nft.run(f"delete element inet lbaas errors4 {{ 0xc6336401 . 6 . 80 : {MARKS.first:#x} }}")
    (step,) = plan(observe(nft, netfilter), some(nft)).establish
    assert isinstance(step, SetFlow)
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
    assert observe(nft, netfilter) == many
