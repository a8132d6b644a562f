"""What turns one keyed table into another."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lbaas.dataplane.turns import by_turns

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True)
class Delta(Generic[K, V]):
    """Keys to add, to change, and to remove; *removed* holds the observed values."""

    added: Mapping[K, V]
    changed: Mapping[K, V]
    removed: Mapping[K, V]


def delta(observed: Mapping[K, V], desired: Mapping[K, V]) -> Delta[K, V]:
    """The difference, each part in the order of the table that it was taken from."""
    if not observed:  # as at a large start
        return Delta(desired, {}, {})
    return Delta(
        added={key: value for key, value in by_turns(desired.items()) if key not in observed},
        changed={
            key: value
            for key, value in by_turns(desired.items())
            if key in observed and observed[key] != value
        },
        removed={key: value for key, value in by_turns(observed.items()) if key not in desired},
    )
