"""Long loops beside the main thread, which must not wait."""

import os
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Of what takes some microseconds each.
_AT_ONCE = 64


def by_turns(items: Iterable[T]) -> Iterator[T]:
    """*items*; now and then the main thread has its turn, if it waits for the interpreter. It gives none itself.

    It is given the interpreter when it asks for it, too, but who asks has to wait on a timer, and where that comes
    late so does he.
    """
    beside = threading.current_thread() is not threading.main_thread()
    return _with_turns(items) if beside else iter(items)


def _with_turns(items: Iterable[T]) -> Iterator[T]:
    for number, item in enumerate(items, 1):
        yield item
        if not number % _AT_ONCE:
            os.sched_yield()  # which gives the interpreter away meanwhile
