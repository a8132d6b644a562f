"""Who may open connections of a mark, and how many of them, in the table's terms."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lbaas.domain.addresses import Address, Prefix
from lbaas.wire.state import Admission


@dataclass(frozen=True)
class Span:
    """Addresses *first* to *last*, both included."""

    first: Address
    last: Address

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Policy:
    """What the table says of one mark. *policed* marks are looked up in what follows; others are not.

    If *restricted*, only clients in the spans of a flow may come. *per_second*: each source may open as many
    connections in a second, over all marks of a VIP; None, as many as it likes.
    """

    policed: bool = True
    restricted: bool = False
    per_second: int | None = None


def policy(admission: Admission) -> Policy:
    """What *admission* asks for, but for the spans."""
    return Policy(
        restricted=bool(admission.sources), per_second=admission.new_connections_per_source
    )


def spans(admission: Admission) -> frozenset[Span]:
    """Who may come: of several sets of sources, clients must be in each.

    Prefixes of another family than the VIP's let nobody in.
    """
    family = admission.vip.version
    allowed, *others = [_merged(each, family) for each in admission.sources] or [[]]
    for other in others:
        allowed = list(_common(allowed, other))
    return frozenset(_span(family, first, last) for first, last in allowed)


def _span(family: int, first: int, last: int) -> Span:
    if family == 4:
        return Span(IPv4Address(first), IPv4Address(last))
    return Span(IPv6Address(first), IPv6Address(last))


def _merged(prefixes: Iterable[Prefix], family: int) -> list[tuple[int, int]]:
    """The addresses as ascending ranges that neither overlap nor touch: the kernel refuses overlaps."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(
        (int(each.network_address), int(each.broadcast_address))
        for each in prefixes
        if each.version == family
    ):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _common(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """What two lists of ascending ranges have in common, in one walk over both."""
    here = there = 0
    while here < len(some) and there < len(others):
        first = max(some[here][0], others[there][0])
        last = min(some[here][1], others[there][1])
        if first <= last:
            yield first, last
        if some[here][1] < others[there][1]:
            here += 1
        else:
            there += 1
