"""Whether the nodes of a cluster agree on the order of backends.

The kernel's ``mh`` table depends on the order in which backends were added: two nodes that hold one state in two
orders send one flow to two backends, and nothing fails. Each node reports a digest of its order. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID


class Order(NamedTuple):
    """What a node holds. Only nodes of one cluster and *revision* can be compared."""

    node: UUID
    cluster: UUID
    revision: int
    digest: str


def differing(orders: Iterable[Order]) -> frozenset[UUID]:
    """The nodes whose order is not that of most; all of them where there is no majority."""
    alike: dict[tuple[UUID, int], list[Order]] = defaultdict(list)
    for order in orders:
        if order.digest:
            alike[order.cluster, order.revision].append(order)
    return frozenset(node for group in alike.values() for node in _outvoted(group))


def _outvoted(group: list[Order]) -> Iterable[UUID]:
    votes = Counter(order.digest for order in group).most_common(2)
    tied = len(votes) == 2 and votes[0][1] == votes[1][1]
    return (order.node for order in group if tied or order.digest != votes[0][0])
