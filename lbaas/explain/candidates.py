"""What a hashing scheduler of IPVS sees of a service's destinations, and of a packet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lbaas.domain.addresses import Address


@dataclass(frozen=True, slots=True)
class Candidate:
    """A destination. *last_weight* is the newest that was not 0, which the kernel keeps to itself.

    0 for a destination that was added with weight 0 and never had another.
    Source: net/netfilter/ipvs/ip_vs_ctl.c, __ip_vs_update_dest.
    """

    address: Address
    weight: int
    last_weight: int

    @classmethod
    def of(cls, address: Address, weight: int) -> "Candidate":
        """One that has had no other weight."""
        return cls(address, weight, weight)


def with_last_weight(candidates: Sequence[Candidate], weight: int) -> tuple[Candidate, ...]:
    """*candidates* as if those at weight 0 had had *weight* before."""
    return tuple(each if each.weight else replace(each, last_weight=weight) for each in candidates)


def folded(address: Address, family: int) -> int:
    """An address as one 32-bit number, in a service of *family*, which need not be the address's own."""
    packed = address.packed.ljust(16, b"\0")
    words = [int.from_bytes(packed[start : start + 4], "big") for start in range(0, 16, 4)]
    return words[0] if family == 4 else words[0] ^ words[1] ^ words[2] ^ words[3]
