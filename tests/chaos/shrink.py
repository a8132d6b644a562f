"""A long schedule that fails, made short.

Source: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def shrink(steps: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> tuple[T, ...]:
    """A part of *steps*, in order, that still fails; without any one of its steps it does not.

    *fails* is true for *steps* as they are. Where it is not the same at each call, the last part that failed.
    """
    left, parts = tuple(steps), 2
    while len(left) > 1:
        smaller = _smaller(left, parts, fails)
        if smaller is not None:
            left, parts = smaller, max(parts - 1, 2)
        elif parts >= len(left):
            break
        else:
            parts = min(2 * parts, len(left))
    return left


def _smaller(
    steps: tuple[T, ...], parts: int, fails: Callable[[Sequence[T]], bool]
) -> tuple[T, ...] | None:
    """*steps* without one of so many parts of it that still fail, None if there is no such part."""
    bounds = [len(steps) * number // parts for number in range(parts + 1)]
    for first, end in pairwise(bounds):
        rest = steps[:first] + steps[end:]
        if rest and fails(rest):
            return rest
    return None
