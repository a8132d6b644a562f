"""What counters that only grow say of a period."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.metering.increments import increments


def test_a_counter_that_fell_or_was_not_there_began_anew() -> None:
    found = increments({"a": 5, "b": 9}, {"a": 7, "b": 2, "c": 4})
    assert (found.added, found.resets) == ({"a": 2, "b": 2, "c": 4}, 1)


def test_without_a_last_reading_nothing_was_added() -> None:
    assert increments(None, {"a": 5}).added == {}


@given(st.lists(st.integers(0, 99) | st.none()))
def test_increments_add_up_to_what_flowed_if_a_reset_shows(flows: list[int | None]) -> None:
    """None is a reset, which shows if nothing flows before the next reading."""
    told = value = 0
    last = {"a": 0}
    for flow in flows:
        value = 0 if flow is None else value + flow
        now = {"a": value}
        told += increments(last, now).added.get("a", 0)
        last = now
    assert told == sum(flow or 0 for flow in flows)
