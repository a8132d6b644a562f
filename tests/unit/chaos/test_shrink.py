from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.chaos.shrink import shrink


@given(st.lists(st.integers(), min_size=1, max_size=40, unique=True), st.data())
def test_exactly_the_steps_that_are_needed_are_left(steps: list[int], data: st.DataObject) -> None:
    needed = set(data.draw(st.lists(st.sampled_from(steps), min_size=1, unique=True)))
    left = shrink(steps, lambda some: needed <= set(some))
    assert list(left) == [step for step in steps if step in needed]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_what_is_left_fails_and_no_step_of_it_can_be_spared(steps: list[int]) -> None:
    def fails(some: Sequence[int]) -> bool:
        return sum(some) >= 10

    assume(fails(steps))
    left = shrink(steps, fails)
    assert fails(left)
    assert not any(
        fails(left[:spared] + left[spared + 1 :]) for spared in range(len(left)) if len(left) > 1
    )
