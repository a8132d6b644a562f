"""What is changed of the host's table, and what it takes to count anew."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.guard.apply import transaction
from lbaas.dataplane.guard.plan import ChangeSets, ReplaceTable, Sets, parted, plan
from lbaas.dataplane.steps import Plan

NAMES = ("nodes4", "vips4", "vips6")
RULES = "\n\tchain tunnel {\n\t\tip protocol { 4, 41 } ip saddr != @nodes4 counter drop\n\t}\n}\n"

sets = st.dictionaries(
    st.sampled_from(NAMES),
    st.frozensets(st.ip_addresses().map(str), min_size=1, max_size=5),
)


def listing(held: Sets, rules: str = RULES) -> str:
    """As nftables would list a table whose sets hold this."""
    return "\n".join(listed(name, held.get(name, frozenset())) for name in NAMES) + rules


def listed(name: str, held: frozenset[str]) -> str:
    elements = f"\t\telements = {{ {', '.join(sorted(held))} }}\n" if held else ""
    return f"\tset {name} {{\n\t\ttype {name}\n{elements}\t}}\n"


def after(held: Sets, change: ChangeSets) -> Sets:
    """The sets as *change* leaves them. Raises where it adds what is there or removes what is not."""
    result = {}
    for name in NAMES:
        before, added = held.get(name, frozenset()), change.added.get(name, frozenset())
        removed = change.removed.get(name, frozenset())
        assert removed <= before
        assert not added & before
        result[name] = (before - removed) | added
    return {name: left for name, left in result.items() if left}


@given(sets, sets)
def test_a_change_leads_from_any_content_to_any_other_and_touches_nothing_else(
    observed: Sets, wanted: Sets
) -> None:
    steps = plan(listing(observed), listing(wanted), "text").establish
    if observed == wanted:
        assert steps == ()
    else:
        [step] = steps
        assert isinstance(step, ChangeSets)
        assert after(observed, step) == wanted


@given(sets)
def test_a_listing_is_told_apart_into_rules_and_content(held: Sets) -> None:
    assert parted(listing(held)) == (listing({}), held)


def test_other_rules_or_no_table_take_a_new_table() -> None:
    whole = Plan(establish=(ReplaceTable("text"),))
    assert plan(listing({}, "other rules"), listing({}), "text") == whole
    assert plan(None, listing({}), "text") == whole


def test_what_no_agent_puts_into_a_set_goes_with_the_table() -> None:
    foreign = {"nodes4": frozenset({"192.0.2.66", "comment", '"x"'})}
    assert plan(listing(foreign), listing({}), "text").establish == (ReplaceTable("text"),)


def test_a_change_is_one_transaction() -> None:
    change = ChangeSets(
        {"vips4": frozenset({"198.51.100.2", "198.51.100.1"})},
        {"nodes4": frozenset({"10.0.10.11"})},
    )
    assert transaction(change) == (
        "delete element inet lbaas_host nodes4 { 10.0.10.11 }\n"
        "add element inet lbaas_host vips4 { 198.51.100.1, 198.51.100.2 }\n"
    )
