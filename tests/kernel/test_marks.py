"""The marks' law on the real nftables."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings

from lbaas.dataplane.marks.apply import apply
from lbaas.dataplane.marks.desired import FAMILY, TABLE, MarkTable, declaration
from lbaas.dataplane.marks.observe import expected_structure, observe
from lbaas.dataplane.marks.plan import ReplaceTable, SetFlow, plan
from lbaas.dataplane.nftables import Nft
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


def bring_to(nft: Nft, desired: MarkTable) -> None:
    steps = plan(observe(nft), desired)
    for half in (steps.establish, steps.withdraw):
        assert apply(nft, half, RULES).failed == ()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted=desired_tables)
def test_one_plan_brings_nftables_to_any_table_and_the_next_is_empty(
    nft: Nft, wanted: MarkTable
) -> None:
    desired = MarkTable(expected_structure(nft, MARKS), wanted.vips, wanted.flows)
    bring_to(nft, desired)
    assert observe(nft) == desired
    assert len(plan(observe(nft), desired)) == 0


def some(nft: Nft) -> MarkTable:
    flows = {WEB: mark(MARKS.first), RANGE: mark(MARKS.first + 1)}
    return MarkTable(expected_structure(nft, MARKS), frozenset({VIP}), flows)


@pytest.mark.parametrize(
    "drift",
    [
        "flush chain inet lbaas input",
        "insert rule inet lbaas vip4 accept",
        "delete table inet lbaas",
        "add chain inet lbaas alien",
        "add table inet lbaas {\nflags dormant\n}",
    ],
)
def test_a_drifted_structure_is_replaced_in_one_step(nft: Nft, drift: str) -> None:
    bring_to(nft, some(nft))
    nft.run(drift)
    (step,) = plan(observe(nft), some(nft)).establish
    assert isinstance(step, ReplaceTable)
    bring_to(nft, some(nft))
    assert observe(nft) == some(nft)


def test_a_lost_element_is_put_back_and_nothing_else_is_touched(nft: Nft) -> None:
    bring_to(nft, some(nft))
    nft.run(f"delete element inet lbaas errors4 {{ 0xc6336401 . 6 . 80 : {MARKS.first:#x} }}")
    (step,) = plan(observe(nft), some(nft)).establish
    assert isinstance(step, SetFlow)
    bring_to(nft, some(nft))
    assert observe(nft) == some(nft)


def test_one_refused_step_stops_no_other(nft: Nft) -> None:
    bring_to(nft, some(nft))
    taken = SetFlow(
        WEB, mark(MARKS.first + 7)
    )  # says nothing of what it replaces: the kernel refuses
    fine = SetFlow(type(WEB)(VIP, 17, 53, 53), mark(MARKS.first + 8))
    outcome = apply(nft, [taken, fine], RULES)
    assert outcome.applied == (fine,)
    assert [step for step, _ in outcome.failed] == [taken]
