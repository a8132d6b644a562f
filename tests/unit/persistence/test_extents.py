from hypothesis import given
from hypothesis import strategies as st

from lbaas.persistence.extents import Span, stripes, without

spans = st.tuples(st.integers(0, 300), st.integers(0, 60)).map(lambda s: Span(s[0], s[0] + s[1]))


def numbers(found: list[Span]) -> list[int]:
    return [number for span in found for number in range(span.first, span.last + 1)]


@given(spans, st.lists(spans))
def test_without_leaves_exactly_what_no_hole_covers(whole: Span, holes: list[Span]) -> None:
    covered = set(numbers(holes))

    assert numbers(list(without(whole, holes))) == [
        number for number in numbers([whole]) if number not in covered
    ]


@given(st.lists(spans), st.integers(1, 80))
def test_stripes_partition_the_spans(whole: list[Span], count: int) -> None:
    cut = list(stripes(whole, count))

    assert numbers(cut) == numbers(whole)
    assert len(cut) <= count + len(whole)


def test_a_64_bit_pool_is_cut_into_64_equal_stripes() -> None:
    cut = list(stripes([Span(0, 2**64 - 1)]))

    assert len(cut) == 64
    assert {span.last - span.first + 1 for span in cut} == {2**58}
