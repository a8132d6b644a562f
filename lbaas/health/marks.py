"""Marks of the node's own, by which IPVS sends a probe to one member and no other."""

from hashlib import blake2b

from lbaas.errors import BadState
from lbaas.wire.state import MarkRange

PROBE_MARKS = 1 << 20
_LARGEST_MARK = 0xFFFFFFFF


def probe_range(marks: MarkRange) -> MarkRange:
    """The marks next to a cluster's own, above them or, at the end of the numbers, below.

    A node is of one cluster, so another cluster's marks may be the same numbers: they are on other nodes.
    Raises BadState if neither side has one.
    """
    above, below = _LARGEST_MARK - marks.last, marks.first - 1
    if not above and not below:
        raise BadState("the cluster's marks leave none for checks")
    if above >= min(PROBE_MARKS, below):
        return MarkRange(first=marks.last + 1, last=marks.last + min(PROBE_MARKS, above))
    return MarkRange(first=marks.first - min(PROBE_MARKS, below), last=marks.first - 1)


def owned(marks: MarkRange) -> MarkRange:
    """A cluster's marks and, beside them, those of its nodes' checks: what an agent may touch."""
    probes = probe_range(marks)
    return MarkRange(first=min(marks.first, probes.first), last=max(marks.last, probes.last))


class MarkBook:
    """Which mark stands for which path. One keeps its mark as long as it is held.

    The mark comes from the path's own text, so that a restarted agent finds the services of its probes as it
    left them; only where two want the same does it matter which came first.
    """

    def __init__(self, marks: MarkRange) -> None:
        self._marks = marks
        self._mark_of: dict[str, int] = {}
        self._path_of: dict[int, str] = {}

    def assign(self, path: str) -> int:
        """The path's mark. Raises BadState if all are taken."""
        known = self._mark_of.get(path)
        if known is not None:
            return known
        first, size = self._marks.first, self._marks.last - self._marks.first + 1
        if len(self._path_of) >= size:
            raise BadState(f"more than {size} paths to check")
        offset = int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "big") % size
        while first + offset in self._path_of:
            offset = (offset + 1) % size
        self._mark_of[path], self._path_of[first + offset] = first + offset, path
        return first + offset

    def release(self, mark: int) -> None:
        """*mark* may stand for another path."""
        del self._mark_of[self._path_of.pop(mark)]
