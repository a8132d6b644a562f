"""Which entries changed at which revision: what a delta is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Self

# Beyond so many keys the oldest steps are forgotten; an agent that is further behind gets the whole.
MAX_KEYS = 50_000


@dataclass(frozen=True)
class Step:
    """The state may have changed at *keys* and nowhere else, between the step before and *revision*."""

    revision: int
    keys: frozenset[str]


@dataclass(frozen=True)
class History:
    """Steps in the order of their revisions, *size* keys in all; nothing is missing above *floor*."""

    floor: int
    steps: tuple[Step, ...] = ()
    size: int = 0

    @classmethod
    def of(cls, floor: int, steps: Sequence[Step]) -> Self:
        """Above *floor* just *steps*."""
        size = sum(len(step.keys) for step in steps)
        forgotten = 0
        while size > MAX_KEYS:
            size -= len(steps[forgotten].keys)
            forgotten += 1
        floor = steps[forgotten - 1].revision if forgotten else floor
        return cls(floor, tuple(steps[forgotten:]), size)

    def keys_since(self, revision: int) -> frozenset[str] | None:
        """Where a state of *revision* may differ from the newest; None if that is too long ago.

        *revision* may lie between two steps, if another process made that state: then the keys of the
        whole step are named, which is more than needed and does no harm.
        """
        if revision < self.floor:
            return None
        newer = takewhile(lambda step: step.revision > revision, reversed(self.steps))
        return frozenset[str]().union(*(step.keys for step in newer))

    def then(self, revision: int, keys: frozenset[str]) -> Self:
        """With one step more, and the oldest forgotten where they are too many."""
        if self.size + len(keys) <= MAX_KEYS:
            steps = (*self.steps, Step(revision, keys))
            return type(self)(self.floor, steps, self.size + len(keys))
        return self.of(self.floor, (*self.steps, Step(revision, keys)))
