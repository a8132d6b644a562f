"""The look-up table of IPVS's ``mh`` scheduler, as the kernel fills it.

Each destination has a list of slots that it would like, made from its address. In turn, as often as its weight says,
each takes the next on its list that is free, until none is. The turns begin with the destination that was added last.
A destination at weight 0 keeps its slots; a flow that comes to one of them looks on from there.
Source: net/netfilter/ipvs/ip_vs_mh.c of Linux 4.18 and later; for its secrets, generate_hash_secret().
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import cycle, repeat
from math import gcd

from lbaas.domain.addresses import Address
from lbaas.explain.candidates import Candidate, folded
from lbaas.explain.siphash import hsiphash

# CONFIG_IP_VS_MH_TAB_INDEX is 12 unless a kernel was built otherwise: 2^12, rounded down to a prime.
TABLE_BITS, SLOTS = 12, 4093

_FIRST_KEY, _SECOND_KEY = 2654435761, 2654446892


@dataclass(frozen=True)
class MaglevTable:
    """The table of a service whose clients are of *family*. No slot is anybody's if no one ever had a weight."""

    family: int
    slots: tuple[Candidate, ...]

    @classmethod
    def of(cls, family: int, candidates: Sequence[Candidate]) -> "MaglevTable":
        """The table for *candidates* in the order in which they were added."""
        newest_first = [each for each in reversed(candidates) if each.last_weight > 0]
        return cls(family, tuple(_filled(family, newest_first)))

    def choose(self, client: Address, port: int, *, fall_back: bool = True) -> Candidate | None:
        """Whom a new flow of *client* goes to; *port* is 0 where the service does not hash ports.

        None: it is dropped. With *fall_back*, who looks for another goes on from the slot that was found.
        """
        if not self.slots:
            return None
        number = folded(client, self.family) + port
        first = hsiphash(number, _FIRST_KEY) % SLOTS
        found = self.slots[first]
        if found.weight > 0:
            return found
        return next(self._fall_back(number, first), None) if fall_back else None

    def _fall_back(self, number: int, first: int) -> Iterator[Candidate]:
        for offset in range(SLOTS):
            at = hsiphash(number + (first + offset) % SLOTS, _FIRST_KEY) % SLOTS
            if self.slots[at].weight > 0:
                yield self.slots[at]

    def shares(self) -> dict[Address, float]:
        """How much of the table is each destination's."""
        return {each.address: self.slots.count(each) / SLOTS for each in dict.fromkeys(self.slots)}


def _filled(family: int, candidates: Sequence[Candidate]) -> list[Candidate]:
    if not candidates:
        return []
    slots: list[Candidate | None] = [None] * SLOTS
    wishes = [_wishes(folded(each.address, family)) for each in candidates]
    turns = _turns(candidates)
    left = SLOTS
    for place in cycle(range(len(candidates))):
        for _ in repeat(None, turns[place]):
            slots[next(at for at in wishes[place] if slots[at] is None)] = candidates[place]
            left -= 1
            if not left:
                return [each for each in slots if each is not None]
    return []


def _wishes(number: int) -> Iterator[int]:
    """Every slot once, then again: SLOTS is a prime."""
    at = hsiphash(number, _FIRST_KEY) % SLOTS
    skip = hsiphash(number, _SECOND_KEY) % (SLOTS - 1) + 1
    while True:
        yield at
        at = (at + skip) % SLOTS


def _turns(candidates: Sequence[Candidate]) -> list[int]:
    """Weights in their lowest terms, halved until the largest has no more than half the table's bits."""
    weights = [each.last_weight for each in candidates]
    divisor = reduce(gcd, weights)
    shift = max(0, (max(weights) // divisor).bit_length() - TABLE_BITS // 2)
    return [max(1, weight // divisor >> shift) for weight in weights]
