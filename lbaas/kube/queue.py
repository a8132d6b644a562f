"""A queue of keys: each waits in it once, is worked on by one worker at a time, and comes back after a failure."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 60.0


class WorkQueue(Generic[K]):
    """What is added while it is worked on is worked on once more after that."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object] | None = None) -> None:
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._at_work: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._later = later

    def add(self, key: K) -> None:
        """*key* is worked on soon."""
        if key in self._at_work:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: K, delay_s: float) -> None:
        """*key* is worked on no later than in *delay_s*, and a little."""
        later = self._later or asyncio.get_running_loop().call_later
        later(delay_s, lambda: self.add(key))

    async def take(self) -> K:
        """The next key. It is at work until ``done``."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._at_work.add(key)
        return key

    def done(self, key: K) -> None:
        """The work on *key* is over, with whatever result."""
        self._at_work.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def settled(self, key: K) -> None:
        """The next pause of *key* is the shortest again."""
        self._failures.pop(key, None)

    def come_back(self, key: K) -> float:
        """*key* is worked on again after a pause that doubles each time until it is settled; the pause."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** (count - 1), _LONGEST_PAUSE_S)
        self.add_after(key, pause_s)
        return pause_s
