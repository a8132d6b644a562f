"""The law of the marks' plan, and what it does in which half."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

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
    plan,
)
from lbaas.dataplane.marks.policy import Policy, Span
from lbaas.domain.addresses import Address
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


spans = st.builds(
    lambda first, width: Span(IPv4Address(first), IPv4Address(first + width)),
    st.integers(0x0A000000, 0x0A00000F),
    st.integers(0, 7),
)


def apart(some: frozenset[Span]) -> frozenset[Span]:
    """Those that overlap no other before them: nobody has others."""
    kept: list[Span] = []
    for span in sorted(some, key=str):
        if all(
            int(span.last) < int(other.first) or int(other.last) < int(span.first) for other in kept
        ):
            kept.append(span)
    return frozenset(kept)


observed_marks = st.builds(
    FlowMark, st.none() | some_mark, st.none() | some_mark, st.frozensets(spans).map(apart)
).filter(lambda each: each != FlowMark(None, None))
desired_marks = st.builds(
    lambda value, sources: FlowMark(value, value, sources),
    some_mark,
    st.frozensets(spans, max_size=4).map(apart),
)


def of_family(vip: Address, mark: FlowMark) -> FlowMark:
    """The mark with its sources in the VIP's own family."""
    own = type(vip)
    spans = (Span(own(int(each.first)), own(int(each.last))) for each in mark.sources)
    return replace(mark, sources=frozenset(spans))


def without_overlaps(flows: dict[FlowKey, FlowMark]) -> dict[FlowKey, FlowMark]:
    """The first of those that overlap: neither the API nor the kernel has others."""
    kept: dict[FlowKey, FlowMark] = {}
    for key, value in flows.items():
        if not any(key.overlaps(other) for other in kept):
            kept[key] = of_family(key.vip, value)
    return kept


def policies(policed: st.SearchStrategy[bool]) -> st.SearchStrategy[Policy]:
    """Some look-up knows of each: a policy of which the table says nothing is not there."""
    return st.builds(
        Policy,
        policed,
        st.booleans(),
        st.sampled_from([None, 1, 7, 10]),
    ).filter(lambda each: each != Policy(policed=False))


some_drops = st.dictionaries(
    st.tuples(st.sampled_from(["source", "rate", "malformed"]), some_mark), st.integers(1, 9)
)


def tables(
    structures: st.SearchStrategy[str | None],
    marks: st.SearchStrategy[FlowMark],
    policies: st.SearchStrategy[Policy],
    drops: st.SearchStrategy[dict[tuple[str, int], int]],
) -> st.SearchStrategy[MarkTable]:
    flows = st.dictionaries(flow_keys, marks, max_size=6).map(without_overlaps)
    by_mark = st.dictionaries(some_mark, policies, max_size=3)
    vips = st.frozensets(addresses, max_size=4)
    return st.builds(MarkTable, structures, vips, flows, by_mark, drops)


observed_tables = st.one_of(
    st.just(MarkTable(None)),
    tables(
        st.sampled_from(["rules", "drifted"]),
        observed_marks,
        policies(st.booleans()),
        some_drops,
    ),
)
desired_tables = tables(st.just("rules"), desired_marks, policies(st.just(True)), st.just({}))


def carry_out(table: MarkTable, steps: tuple[MarkStep, ...]) -> MarkTable:
    """What nftables holds after *steps*; it refuses overlaps and the removal of what is not there."""
    for step in steps:
        match step:
            case ReplaceTable(content=content):
                table = content
            case AddVip(address=address):
                assert address not in table.vips
                table = replace(table, vips=table.vips | {address})
            case RemoveVip(address=address):
                assert address in table.vips
                table = replace(table, vips=table.vips - {address})
            case SetFlow() | RemoveFlow():
                table = replace(table, flows=_flows_after(table.flows, step))
            case SetPolicy() | RemovePolicy():
                table = replace(table, policies=_policies_after(table.policies, step))
            case ForgetDrops(cause=cause, mark=mark):
                assert (cause, mark) in table.drops
                kept = {key: count for key, count in table.drops.items() if key != (cause, mark)}
                table = replace(table, drops=kept)
    return table


def _flows_after(
    before: Mapping[FlowKey, FlowMark], step: SetFlow | RemoveFlow
) -> dict[FlowKey, FlowMark]:
    flows = dict(before)
    gone = step.replaced if isinstance(step, SetFlow) else ((step.flow, step.mark),)
    for old, old_mark in gone:
        assert flows.pop(old) == old_mark
    if isinstance(step, SetFlow):
        assert not any(step.flow.overlaps(other) for other in flows)
        flows[step.flow] = step.mark
    return flows


def _policies_after(
    before: Mapping[int, Policy], step: SetPolicy | RemovePolicy
) -> dict[int, Policy]:
    policies = dict(before)
    gone = step.replaced if isinstance(step, SetPolicy) else step.policy
    assert policies.pop(step.mark, None) == gone
    if isinstance(step, SetPolicy):
        policies[step.mark] = step.policy
    return policies


@given(observed=observed_tables, desired=desired_tables)
def test_carrying_out_the_plan_gives_the_desired_table(
    observed: MarkTable, desired: MarkTable
) -> None:
    steps = plan(observed, desired)
    assert carry_out(observed, steps.establish + steps.withdraw) == desired


@given(observed=observed_tables, desired=desired_tables)
def test_drops_are_counted_on_until_no_packet_carries_the_mark(
    observed: MarkTable, desired: MarkTable
) -> None:
    steps = plan(observed, desired)
    after = carry_out(observed, steps.establish + steps.withdraw)
    assert after.drops == {
        key: packets for key, packets in observed.drops.items() if key[1] in desired.marks
    }


@given(observed=observed_tables, desired=desired_tables)
def test_at_no_step_is_a_listener_without_the_policy_that_it_had_or_shall_have(
    observed: MarkTable, desired: MarkTable
) -> None:
    steps = plan(observed, desired)
    all_steps = steps.establish + steps.withdraw
    for count in range(len(all_steps) + 1):
        between = carry_out(observed, all_steps[:count])
        for each in between.marks & desired.policies.keys() - observed.marks:
            assert between.policies[each] == desired.policies[each]
        for each in between.marks & observed.policies.keys() - desired.marks:
            assert each in between.policies


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


def test_a_policy_that_a_living_listener_loses_does_not_wait_for_the_withdrawal() -> None:
    old = Policy(restricted=True)
    observed = MarkTable("rules", frozenset({VIP}), {WEB: mark(1)}, {1: old, 2: old})
    steps = plan(observed, _table({WEB: mark(1)}))
    assert steps.establish == (RemovePolicy(1, old),)
    assert steps.withdraw == (RemovePolicy(2, old),)


def _table(flows: dict[FlowKey, FlowMark]) -> MarkTable:
    return MarkTable("rules", frozenset({VIP}), flows)
