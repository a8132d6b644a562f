"""A hand-over between threads where only the newest value counts."""

from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """``put`` and ``wake`` may also be called from a signal handler: SimpleQueue's ``put`` is reentrant."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[T | None] = SimpleQueue()

    def put(self, value: T) -> None:
        """*value* is what the next ``take`` gives, unless a newer one comes."""
        self._queue.put(value)

    def wake(self) -> None:
        """A ``take`` that waits ends, as the next does at once. No value is lost by it."""
        self._queue.put(None)

    def waiting(self) -> bool:
        """True if the next ``take`` would not wait."""
        return not self._queue.empty()

    def take(self, timeout_s: float) -> T | None:
        """The newest value, the ones before it dropped; None if none came within *timeout_s*."""
        try:
            newest = self._queue.get(timeout=timeout_s)
            while not self._queue.empty():
                value = self._queue.get_nowait()
                newest = newest if value is None else value
        except Empty:
            return None
        return newest
