"""What counters that only grow say of a period. Pure."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Increments(Generic[K]):
    """What was added to each counter, and how many of them had begun anew."""

    added: Mapping[K, int] = field(default_factory=dict)
    resets: int = 0


def increments(last: Mapping[K, int] | None, now: Mapping[K, int]) -> Increments[K]:
    """What was added since *last*; nothing where there is no last reading: it may have been told before.

    A counter that fell began anew, and so did one that was not there: all it shows was added since.
    """
    if last is None:
        return Increments()
    fallen = [key for key, value in now.items() if value < last.get(key, 0)]
    added = {
        key: value - (0 if value < last.get(key, 0) else last.get(key, 0))
        for key, value in now.items()
    }
    return Increments({key: value for key, value in added.items() if value}, len(fallen))
