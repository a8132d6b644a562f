"""What changed since when: never too little."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.compiler import history
from lbaas.compiler.history import History, Step

KEYS = st.frozensets(st.sampled_from("abcdef"))
STEPS = st.lists(KEYS, max_size=20)


@given(STEPS, st.integers(0, 22))
def test_the_keys_of_all_newer_steps_are_named(steps: list[frozenset[str]], since: int) -> None:
    told = History(0)
    for revision, keys in enumerate(steps, start=1):
        told = told.then(revision, keys)

    assert told.keys_since(since) == frozenset[str]().union(*steps[since:])
    made = [Step(revision, keys) for revision, keys in enumerate(steps, start=1)]
    assert History.of(0, made) == told


def test_a_revision_between_two_steps_gets_the_whole_step() -> None:
    told = History(0).then(10, frozenset("a")).then(20, frozenset("b"))
    assert told.keys_since(15) == frozenset("b")
    assert told.keys_since(9) == frozenset("ab")


def test_nothing_is_known_below_the_floor() -> None:
    told = History(10).then(20, frozenset("b"))
    assert told.keys_since(9) is None
    assert told.keys_since(10) == frozenset("b")


@given(STEPS, st.integers(0, 22))
def test_what_was_forgotten_is_never_told_as_if_it_were_all(
    steps: list[frozenset[str]], since: int
) -> None:
    limit, history.MAX_KEYS = history.MAX_KEYS, 8
    try:
        told = History(0)
        for revision, keys in enumerate(steps, start=1):
            told = told.then(revision, keys)
    finally:
        history.MAX_KEYS = limit

    assert told.size == sum(len(step.keys) for step in told.steps) <= 8
    assert told.keys_since(since) in (None, frozenset[str]().union(*steps[since:]))
    assert told.keys_since(len(steps)) == frozenset()
