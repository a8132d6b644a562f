"""The marks of probes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.errors import BadState
from lbaas.health.marks import PROBE_MARKS, MarkBook, owned, probe_range
from lbaas.wire.state import MarkRange

CLUSTER = MarkRange(first=0x10000000, last=0x1000FFFF)
SMALL = MarkRange(first=100, last=103)

ranges = st.tuples(st.integers(1, 0xFFFFFFFF), st.integers(1, 0xFFFFFFFF)).map(
    lambda ends: MarkRange(first=min(ends), last=max(ends))
)


def test_probes_have_the_marks_above_the_clusters() -> None:
    probes = probe_range(CLUSTER)
    assert (probes.first, probes.last) == (0x10010000, 0x10010000 + PROBE_MARKS - 1)


@given(ranges)
def test_probes_marks_are_beside_the_clusters_and_never_among_them(marks: MarkRange) -> None:
    if (marks.first, marks.last) == (1, 0xFFFFFFFF):
        return
    probes = probe_range(marks)
    assert probes.last < marks.first or probes.first > marks.last
    size = sum(each.last - each.first + 1 for each in (marks, probes))
    both = owned(marks)
    assert both.last - both.first + 1 == size


def test_a_cluster_that_has_all_marks_leaves_none() -> None:
    with pytest.raises(BadState):
        probe_range(MarkRange(first=1, last=0xFFFFFFFF))


def test_a_path_keeps_its_mark_and_no_other_has_it() -> None:
    book = MarkBook(SMALL)
    marks = [book.assign(path) for path in "abcd"]
    assert sorted(marks) == [100, 101, 102, 103]
    assert [book.assign(path) for path in "abcd"] == marks
    with pytest.raises(BadState):
        book.assign("e")
    book.release(marks[2])
    assert book.assign("e") == marks[2]


def test_a_restarted_agent_gives_the_same_marks() -> None:
    paths = [f"path {number}" for number in range(100)]
    first, second = MarkBook(probe_range(CLUSTER)), MarkBook(probe_range(CLUSTER))
    expected = {path: first.assign(path) for path in paths}
    assert {path: second.assign(path) for path in reversed(paths)} == expected
