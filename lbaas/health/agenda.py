"""What is due when. Pure: time and chance are arguments."""

from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

# Checks that began together drift apart. Never later than the interval: a promise is counted in intervals.
_JITTER = 0.1


class Agenda(Generic[T]):
    """Entries in the order of their time, those of one moment in the order in which they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = count()

    def add(self, at_s: float, entry: T) -> None:
        """*entry* is due at *at_s*."""
        heappush(self._heap, (at_s, next(self._numbers), entry))

    def due(self, now_s: float) -> T | None:
        """An entry whose time has come, which is off the agenda then; None if there is none."""
        if self._heap and self._heap[0][0] <= now_s:
            return heappop(self._heap)[2]
        return None

    def pause_s(self, now_s: float, longest_s: float) -> float:
        """How long nothing is due, at most *longest_s*."""
        if not self._heap:
            return longest_s
        return max(0.0, min(self._heap[0][0] - now_s, longest_s))


def following(begun_s: float, interval_s: float, chance: float) -> float:
    """When the probe after one that began at *begun_s* begins; *chance* is in [0, 1)."""
    return begun_s + interval_s * (1 - _JITTER * chance)
