"""States as entries: what a delta does, and what the digest proves."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.wire.entries import Delta, Entries

KEYS = st.sampled_from(["cluster", "node/1", "vip/1", "vip/2", "vip/3"])
STATES = st.dictionaries(KEYS, st.sampled_from([b"1", b"2", b'{"a":3}']))


@given(STATES, STATES)
def test_a_delta_at_the_keys_that_differ_leads_from_any_state_to_any_other(
    old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    before, after = Entries.of(old), Entries.of(new)

    delta = after.at(before.differing(new))

    assert before.after(delta) == after
    assert before.after(delta).after(delta) == after
    assert before.values == old


@given(STATES, STATES, st.sets(KEYS))
def test_naming_more_keys_than_differ_does_no_harm(
    old: dict[str, bytes], new: dict[str, bytes], more: set[str]
) -> None:
    before, after = Entries.of(old), Entries.of(new)

    assert before.after(after.at(before.differing(new) | more)) == after


@given(STATES, STATES)
def test_states_have_one_digest_exactly_if_they_are_equal(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (Entries.of(one).digest == Entries.of(other).digest) is (one == other)


@given(STATES)
def test_equal_states_differ_nowhere(state: dict[str, bytes]) -> None:
    assert Entries.of(state).differing(state) == frozenset()
    assert Entries.of(state).at(()) == Delta({})


def test_what_moves_from_one_key_to_another_changes_the_digest() -> None:
    assert Entries.of({"a": b"bc"}).digest != Entries.of({"ab": b"c"}).digest
    assert Entries.of({"a": b"1", "b": b"2"}).digest != Entries.of({"a": b"2", "b": b"1"}).digest
