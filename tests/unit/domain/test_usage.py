from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lbaas.domain.usage import DAY, HOUR, MINUTE, Granularity, ceiling, floor

EPOCH_S = 1_600_000_000
TIMES = st.integers(EPOCH_S, 2 * EPOCH_S).map(lambda at_s: datetime.fromtimestamp(at_s, UTC))
STEPS = st.sampled_from(Granularity)


@given(TIMES, STEPS)
def test_every_time_is_in_one_step(at: datetime, steps: Granularity) -> None:
    begin = steps.begin(at)

    assert begin <= at < steps.next(begin)
    assert steps.begin(begin) == begin
    assert steps.begin(steps.next(begin)) == steps.next(begin)


@given(TIMES, STEPS, st.integers(0, 300))
def test_many_steps_are_as_far_as_one_after_the_other(
    at: datetime, steps: Granularity, count: int
) -> None:
    begin = end = steps.begin(at)
    for _ in range(count):
        end = steps.next(end)

    assert steps.next(begin, count) == end


@given(TIMES, st.sampled_from([MINUTE, HOUR, DAY]))
def test_rounding_goes_to_the_nearest_whole_step_on_each_side(
    at: datetime, step: timedelta
) -> None:
    below, above = floor(at, step), ceiling(at, step)

    assert below <= at <= above
    assert above - below in (timedelta(), step)
    assert (below.minute, below.second) == (below.minute if step is MINUTE else 0, 0)


def test_months_are_the_calendars() -> None:
    december = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)

    begin = Granularity.MONTH.begin(december)

    assert begin == datetime(2026, 12, 1, tzinfo=UTC)
    assert Granularity.MONTH.next(begin) == datetime(2027, 1, 1, tzinfo=UTC)
    assert Granularity.MONTH.next(begin, 14) == datetime(2028, 2, 1, tzinfo=UTC)
