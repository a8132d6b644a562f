"""The sets of a generation, told by their names alone: an agent that starts finds what it has not read yet."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from lbaas.dataplane.usage.desired import BUNDLES, KINDS, SINGLE, Kind, Tally
from lbaas.wire.usage import Point

_NAME = re.compile(r"(node|tunnel|reply)([46])_([a-z]+)_(all|\d+)_(\d+)")


@dataclass(frozen=True, slots=True)
class Series:
    """Counts of one kind by subject and prefixes of *bits*, or by subject alone.

    *generation* is the second at which it took over.
    """

    point: Point
    family: int
    kind: str
    bits: int | None
    generation: int

    def __str__(self) -> str:
        bits = "all" if self.bits is None else self.bits
        return f"{self.point}{self.family}_{self.kind}_{bits}_{self.generation}"

    @classmethod
    def clients(cls, tally: Tally, kind: Kind, generation: int) -> Self:
        """Those by prefix."""
        return cls(tally.point, tally.family, kind.name, tally.bits, generation)

    @classmethod
    def rest(cls, tally: Tally, kind: Kind, generation: int) -> Self:
        """Those by subject alone."""
        return cls(tally.point, tally.family, kind.name, None, generation)


def series(tally: Tally, generation: int) -> Iterator[Series]:
    """All that *tally* counts in, those by prefix before those that take what these have no room for."""
    for kind in (SINGLE, *BUNDLES):
        if tally.client:
            yield Series.clients(tally, kind, generation)
        yield Series.rest(tally, kind, generation)


def parse(names: Iterable[str]) -> Iterator[Series]:
    """Those of *names* that are ours."""
    for name in names:
        found = _NAME.fullmatch(name)
        if found and found[3] in KINDS:
            point, family, kind, bits, generation = found.groups()
            length = None if bits == "all" else int(bits)
            yield Series(Point(point), int(family), kind, length, int(generation))
