"""A state as values by key, what leads from one state to the next, and a digest that both ends keep up.

The digest is the sum, modulo 2^256, of the SHA-256 of every entry. An entry that comes or goes adds or
subtracts its own: a change costs what it changes, whatever the size of the state. It proves that two ends
that mean well agree; who sent a state is proven by TLS. Decision record: deltas.
"""

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Self

_MODULUS = 1 << 256


@dataclass(frozen=True)
class Delta:
    """Entries to set, in canonical JSON by key, and keys to remove. Applying it twice changes nothing more."""

    changed: Mapping[str, bytes]
    deleted: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        """Where it may change a state."""
        return self.deleted.union(self.changed)


@dataclass(frozen=True)
class Entries:
    """A state. *total* is the sum of its entries' digests; make one with :meth:`of` or :meth:`after`.

    *origin* is what it was made from, and the keys that were touched: what differs between two states that
    follow each other is found without looking at all. *numbers* are the entries' digests, which it would cost as
    much again to take out of the sum.
    """

    values: Mapping[str, bytes]
    total: int
    origin: tuple[Mapping[str, bytes], frozenset[str]] | None = field(
        default=None, compare=False, repr=False
    )
    numbers: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, values: Mapping[str, bytes]) -> Self:
        """The state that holds just *values*."""
        return cls({}, 0).after(Delta(values))

    @property
    def digest(self) -> str:
        """The value of the ``LBaaS-Digest`` header: equal for equal states, whatever led to them."""
        return f"sum-sha-256={self.total:064x}"

    def after(self, delta: Delta) -> Self:
        """This state as *delta* changes it."""
        values, numbers, total = dict(self.values), dict(self.numbers), self.total
        for key, value in delta.changed.items():
            # Replaced where it stands: a dictionary from which much was taken out is copied ten times slower.
            values[key] = value
            total -= numbers.get(key, 0)
            numbers[key] = number = _number(key, value)
            total += number
        for key in delta.deleted:
            values.pop(key, None)
            total -= numbers.pop(key, 0)
        return type(self)(values, total % _MODULUS, (self.values, delta.keys), numbers)

    def at(self, keys: Iterable[str]) -> Delta:
        """What brings any state that differs from this one in *keys* only to this one."""
        wanted = frozenset(keys)
        changed = {key: self.values[key] for key in wanted if key in self.values}
        return Delta(changed, wanted - changed.keys())

    def differing(self, other: Mapping[str, bytes]) -> frozenset[str]:
        """The keys at which this state and *other* differ."""
        keys: AbstractSet[str]
        if self.values is other:
            return frozenset()
        if self.origin is not None and self.origin[0] is other:
            keys = self.origin[1]
        else:
            keys = self.values.keys() | other.keys()
        return frozenset(key for key in keys if self.values.get(key) != other.get(key))


def _number(key: str, value: bytes) -> int:
    return int.from_bytes(hashlib.sha256(key.encode() + b"\0" + value).digest())
