"""Which periods are merged when the buffer is full. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_HOUR_S, _DAY_S = 3600, 86400


@dataclass(frozen=True)
class Room:
    """What a buffer may hold: a day of minutes, unless they are too large."""

    periods: int = 1440
    size: int = 64 << 20  # bytes


@dataclass(frozen=True)
class Kept:
    """A period in the buffer. *sent*: the server may have it, so it must stay as it is."""

    place: int
    begun_s: int
    merged: int
    size: int
    sent: bool = False


def to_merge(kept: Sequence[Kept], room: Room) -> tuple[int, int] | None:
    """The places of two neighbours to be made one; None if there is room, or nothing that may be merged.

    Those of one hour come first, so that what the ledger keeps by the hour stays exact; among them those that
    cover the least, then the oldest.
    """
    if len(kept) <= room.periods and sum(each.size for each in kept) <= room.size:
        return None
    pairs = [(old, new) for old, new in pairwise(kept) if not old.sent and not new.sent]
    if not pairs:
        return None
    old, new = min(pairs, key=_cost)
    return old.place, new.place


def _cost(pair: tuple[Kept, Kept]) -> tuple[bool, bool, int]:
    old, new = pair
    return (
        old.begun_s // _HOUR_S != new.begun_s // _HOUR_S,
        old.begun_s // _DAY_S != new.begun_s // _DAY_S,
        max(1, old.merged) + max(1, new.merged),
    )
