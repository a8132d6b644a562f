"""The law of the marks' plan, and what it does in which half."""

from collections.abc import Mapping
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.plan import (
    AddVip,
    MarkStep,
    RemoveFlow,
    RemoveVip,
    ReplaceTable,
    SetFlow,
    plan,
)
from tests.unit.dataplane.strategies import addresses

VIP = IPv4Address("198.51.100.1")
WEB = FlowKey(VIP, 6, 80, 80)
RANGE = FlowKey(VIP, 6, 8000, 8999)


def mark(value: int) -> FlowMark:
    return FlowMark(value, value)


flow_keys = st.builds(
    lambda vip, protocol, first, width: FlowKey(vip, protocol, first, first + width),
    addresses,
    st.sampled_from([6, 17]),
    st.integers(1, 8),
    st.integers(0, 3),
)
some_mark = st.integers(1, 3)
observed_marks = st.one_of(
    some_mark.map(mark),
    st.builds(FlowMark, some_mark, st.none()),
    st.builds(FlowMark, st.none(), some_mark),
)


def without_overlaps(flows: dict[FlowKey, FlowMark]) -> dict[FlowKey, FlowMark]:
    """The first of those that overlap: neither the API nor the kernel has others."""
    kept: dict[FlowKey, FlowMark] = {}
    for key, value in flows.items():
        if not any(key.overlaps(other) for other in kept):
            kept[key] = value
    return kept


def tables(structures: st.SearchStrategy[str | None], marks: st.SearchStrategy[FlowMark]):  # type: ignore[no-untyped-def]
    flows = st.dictionaries(flow_keys, marks, max_size=6).map(without_overlaps)
    return st.builds(MarkTable, structures, st.frozensets(addresses, max_size=4), flows)


observed_tables = st.one_of(
    st.just(MarkTable(None)), tables(st.sampled_from(["rules", "drifted"]), observed_marks)
)
desired_tables = tables(st.just("rules"), some_mark.map(mark))


def carry_out(table: MarkTable, steps: tuple[MarkStep, ...]) -> MarkTable:
    """What nftables holds after *steps*; it refuses overlaps and the removal of what is not there."""
    structure, vips, flows = table.structure, set(table.vips), dict(table.flows)
    for step in steps:
        match step:
            case ReplaceTable(content=content):
                structure, vips, flows = content.structure, set(content.vips), dict(content.flows)
            case AddVip(address=address):
                assert address not in vips
                vips.add(address)
            case RemoveVip(address=address):
                vips.remove(address)
            case SetFlow(flow=flow, mark=new, replaced=replaced):
                for old, old_mark in replaced:
                    assert flows.pop(old) == old_mark
                assert not any(flow.overlaps(other) for other in flows)
                flows[flow] = new
            case RemoveFlow(flow=flow, mark=old_mark):
                assert flows.pop(flow) == old_mark
    return MarkTable(structure, frozenset(vips), flows)


@given(observed=observed_tables, desired=desired_tables)
def test_carrying_out_the_plan_gives_the_desired_table(
    observed: MarkTable, desired: MarkTable
) -> None:
    steps = plan(observed, desired)
    assert carry_out(observed, steps.establish + steps.withdraw) == desired


@given(table=desired_tables)
def test_a_table_needs_no_steps_to_become_itself(table: MarkTable) -> None:
    assert len(plan(table, table)) == 0


@given(observed=observed_tables, desired=desired_tables)
def test_establishing_takes_no_mark_from_a_flow_that_nothing_replaces(
    observed: MarkTable, desired: MarkTable
) -> None:
    between = carry_out(observed, plan(observed, desired).establish)
    for flow in observed.flows:
        assert any(flow.overlaps(other) for other in between.flows)
    assert between.vips == observed.vips | desired.vips


def test_a_changed_mark_is_replaced_in_one_step() -> None:
    steps = plan(_table({WEB: mark(1)}), _table({WEB: mark(2)}))
    assert steps.establish == (SetFlow(WEB, mark(2), ((WEB, mark(1)),)),)
    assert steps.withdraw == ()


def test_a_missing_error_mark_is_drift() -> None:
    half = FlowMark(1, None)
    steps = plan(_table({WEB: half}), _table({WEB: mark(1)}))
    assert steps.establish == (SetFlow(WEB, mark(1), ((WEB, half),)),)


def test_a_split_range_goes_with_the_first_of_its_parts() -> None:
    low, high = FlowKey(VIP, 6, 8000, 8499), FlowKey(VIP, 6, 8500, 8999)
    steps = plan(_table({RANGE: mark(1)}), _table({low: mark(1), high: mark(2)}))
    assert steps.establish == (
        SetFlow(low, mark(1), ((RANGE, mark(1)),)),
        SetFlow(high, mark(2)),
    )
    assert steps.withdraw == ()


def _table(flows: Mapping[FlowKey, FlowMark]) -> MarkTable:
    return MarkTable("rules", frozenset({VIP}), flows)
