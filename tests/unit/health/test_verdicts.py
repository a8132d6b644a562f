"""Rise, fall and damping."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.health.verdicts import (
    FORGIVEN_FALLS,
    LONGEST_DAMPING,
    PASSED,
    WINDOW_S,
    Result,
    Standing,
    explained,
    judge,
    passes_needed,
    presumed_fit,
    unproven,
)

FAILED = Result(passed=False, cause="refused")
RISE, FALL = 2, 3

counts = st.integers(1, 6)


def after(standing: Standing, results: str, begun_s: float = 0, every_s: float = 1) -> Standing:
    """*results*: ``+`` for a pass, ``-`` for a failure, one each *every_s*."""
    for place, sign in enumerate(results):
        result = PASSED if sign == "+" else FAILED
        standing = judge(standing, result, RISE, FALL, begun_s + place * every_s)
    return standing


def test_a_member_falls_after_so_many_failures_in_a_row_and_says_why() -> None:
    assert after(presumed_fit(0), "--").fit
    fallen = after(presumed_fit(0), "---")
    assert (fallen.fit, fallen.cause, fallen.since_s) == (False, "refused", 2)


def test_a_pass_in_between_begins_the_count_anew() -> None:
    assert after(presumed_fit(0), "--+--").fit


def test_a_fallen_member_rises_after_so_many_passes_in_a_row() -> None:
    assert not after(presumed_fit(0), "---+-+").fit
    risen = after(presumed_fit(0), "---++")
    assert (risen.fit, risen.cause, risen.since_s) == (True, "", 4)


def test_a_new_member_is_taken_in_at_its_first_pass() -> None:
    assert not unproven(0).fit
    assert after(unproven(0), "----+").fit


def test_a_new_member_that_fails_says_why_and_the_cause_stays() -> None:
    told = explained(judge(unproven(0), FAILED, RISE, FALL, 1), FAILED)
    assert told.cause == "refused"
    assert explained(told, Result(passed=False, cause="no answer in time")) is told


def test_a_result_that_says_nothing_new_makes_no_new_standing() -> None:
    standing = presumed_fit(0)
    assert judge(standing, PASSED, RISE, FALL, 1) is standing


def test_from_the_third_fall_in_the_window_on_each_doubles_the_way_back() -> None:
    standing, needed = presumed_fit(0), []
    for number in range(6):
        standing = after(standing, "---", begun_s=number * 40)
        needed.append(passes_needed(standing, RISE, number * 40 + 3))
        standing = after(standing, "+" * needed[-1], begun_s=number * 40 + 3, every_s=0.1)
        assert standing.fit
    assert needed == [2, 2, 4, 8, 16, 32]


def test_flapping_is_forgiven_after_the_window() -> None:
    standing = presumed_fit(0)
    for number in range(5):
        standing = after(standing, "---" + "+" * 64, begun_s=number * 10, every_s=0.1)
    last_s = standing.falls[-1]
    fallen = after(standing, "---", begun_s=last_s + WINDOW_S)
    assert passes_needed(fallen, RISE, last_s + WINDOW_S + 3) == RISE


@given(st.lists(st.booleans()), counts, counts, st.booleans())
def test_whatever_came_before_steady_results_decide(
    history: list[bool], rise: int, fall: int, new: bool
) -> None:
    standing = unproven(0) if new else presumed_fit(0)
    for now_s, passed in enumerate(history):
        standing = judge(standing, PASSED if passed else FAILED, rise, fall, now_s)
    good = bad = standing
    for step in range(rise * LONGEST_DAMPING):
        good = judge(good, PASSED, rise, fall, len(history) + step)
    for step in range(fall):
        bad = judge(bad, FAILED, rise, fall, len(history) + step)
    assert good.fit
    assert not bad.fit


@given(st.lists(st.booleans(), max_size=200), counts, counts)
def test_a_verdict_changes_only_after_its_count(history: list[bool], rise: int, fall: int) -> None:
    standing = presumed_fit(0)
    for now_s, passed in enumerate(history):
        before = standing
        standing = judge(before, PASSED if passed else FAILED, rise, fall, now_s)
        if standing.fit != before.fit:
            length = rise if standing.fit else fall
            assert history[now_s - length + 1 : now_s + 1] == [standing.fit] * length


@given(st.lists(st.floats(0, WINDOW_S), max_size=20), st.floats(0, WINDOW_S), counts)
def test_more_falls_never_shorten_the_way_back(
    falls: list[float], another: float, rise: int
) -> None:
    fewer = Standing(fit=False, proven=True, since_s=0, falls=tuple(falls))
    more = Standing(fit=False, proven=True, since_s=0, falls=(*falls, another))
    few, many = (passes_needed(each, rise, WINDOW_S) for each in (fewer, more))
    assert rise <= few <= many <= rise * LONGEST_DAMPING
    if len(falls) <= FORGIVEN_FALLS:
        assert few == rise
