import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.persistence.ledger.meters import gaps


@pytest.mark.parametrize(
    ("entered", "sequences", "missing"),
    [
        (0, [1, 2, 3], []),
        (0, [3], [(1, 2)]),
        (4, [5, 8, 9, 11], [(6, 7), (10, 10)]),
        (4, [], []),
    ],
)
def test_what_is_missing_is_told_by_first_and_last(
    entered: int, sequences: list[int], missing: list[tuple[int, int]]
) -> None:
    assert gaps(entered, sequences) == missing


@given(st.integers(0, 50), st.sets(st.integers(51, 99)))
def test_every_sequence_is_either_there_or_missing(entered: int, there: set[int]) -> None:
    missing = [
        sequence
        for first, last in gaps(entered, sorted(there))
        for sequence in range(first, last + 1)
    ]

    assert sorted([*there, *missing]) == list(range(entered + 1, max(there, default=entered) + 1))
