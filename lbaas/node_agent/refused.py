"""What the node refused, in the words of a report."""

from lbaas.dataplane.marks.desired import Drops
from lbaas.wire.report import Dropped

# As many as a report may hold.
_MOST = 10_000


def dropped(drops: Drops) -> tuple[Dropped, ...]:
    """One for each mark that something is counted against; of too many, those with the most packets."""
    by_mark: dict[int, dict[str, int]] = {}
    for (cause, mark), packets in drops.items():
        by_mark.setdefault(mark, {})[cause] = packets
    most = sorted(by_mark, key=lambda mark: -sum(by_mark[mark].values()))[:_MOST]
    return tuple(Dropped(mark=mark, **by_mark[mark]) for mark in sorted(most))
