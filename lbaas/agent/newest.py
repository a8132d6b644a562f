"""A hand-over between threads where only the newest value counts."""

from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """``put`` may also be called from a signal handler: SimpleQueue's is reentrant."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[T] = SimpleQueue()

    def put(self, value: T) -> None:
        """*value* is what the next ``take`` gives, unless a newer one comes."""
        self._queue.put(value)

    def take(self, timeout_s: float) -> T | None:
        """The newest value, the ones before it dropped; None if none came within *timeout_s*."""
        try:
            value = self._queue.get(timeout=timeout_s)
            while not self._queue.empty():
                value = self._queue.get_nowait()
        except Empty:
            return None
        return value
