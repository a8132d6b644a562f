"""The buckets of IPVS's ``sh`` scheduler.

Source: net/netfilter/ipvs/ip_vs_sh.c, include/linux/hash.h.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, repeat

from lbaas.domain.addresses import Address
from lbaas.explain.candidates import Candidate, folded

BUCKET_BITS = 8  # CONFIG_IP_VS_SH_TAB_BITS, unless a kernel was built otherwise
BUCKETS = 1 << BUCKET_BITS
_GOLDEN_RATIO = 0x61C88647


@dataclass(frozen=True)
class SourceHashTable:
    """The buckets of a service whose clients are of *family*; none if it has no destination."""

    family: int
    buckets: tuple[Candidate, ...]

    @classmethod
    def of(cls, family: int, candidates: Sequence[Candidate]) -> "SourceHashTable":
        """The buckets for *candidates* in the order in which they were added."""
        if not candidates:
            return cls(family, ())
        return cls(family, tuple(islice(_dealt(candidates), BUCKETS)))

    def choose(self, client: Address, port: int, *, fall_back: bool = True) -> Candidate | None:
        """As ``MaglevTable.choose``."""
        if not self.buckets:
            return None
        number = (folded(client, self.family) + port) & 0xFFFFFFFF
        first = (number * _GOLDEN_RATIO & 0xFFFFFFFF) >> (32 - BUCKET_BITS)
        found = self.buckets[first]
        if found.weight > 0 or not fall_back:
            return found if found.weight > 0 else None
        others = (first + (first + offset) % BUCKETS for offset in range(BUCKETS))
        return next((each for at in others if (each := self.buckets[at % BUCKETS]).weight), None)


def _dealt(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """As many buckets in a row as the weight says; one even at weight 0."""
    for each in cycle(reversed(candidates)):
        yield from repeat(each, max(1, each.weight))
