"""How a request waits for something that another request, maybe on another replica, will do."""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Bell:
    """One waiter's. A ring between two waits is not lost: the next wait ends at once."""

    def __init__(self, bells: "Bells") -> None:
        self._bells = bells
        self._rung = False
        self._woken: asyncio.Future[None] | None = None

    def ring(self) -> None:
        self._rung = True
        if self._woken is not None:
            _wake(self._woken)

    async def wait(self, until: float) -> bool:
        """True when rung; False at the loop's time *until*, or when the server is closing."""
        if not (self._rung or self._bells.closing):
            await self._sleep(until)
        rung, self._rung = self._rung, False
        return rung and not self._bells.closing

    async def _sleep(self, until: float) -> None:
        """A future and a timer, nothing more: thousands wait, and are woken at once."""
        loop = asyncio.get_running_loop()
        self._woken = loop.create_future()
        timer = loop.call_at(until, _wake, self._woken)
        try:
            await self._woken
        finally:
            timer.cancel()
            self._woken = None


def _wake(sleeping: asyncio.Future[None]) -> None:
    if not sleeping.done():
        sleeping.set_result(None)


class Bells:
    """Waiters by what they wait for."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, set[Bell]] = defaultdict(set)
        self.closing = False

    @contextmanager
    def listen(self, *keys: Hashable) -> Iterator[Bell]:
        """A bell that rings for any of *keys*. Take it before looking, so that nothing is missed between."""
        bell = Bell(self)
        for key in keys:
            self._waiting[key].add(bell)
        try:
            yield bell
        finally:
            for key in keys:
                self._waiting[key].discard(bell)
                if not self._waiting[key]:
                    del self._waiting[key]

    def awaited(self, key: Hashable) -> bool:
        """True if anybody waits for *key*."""
        return key in self._waiting

    def count(self, kind: type) -> int:
        """How many wait for a key of *kind*."""
        return sum(len(bells) for key, bells in self._waiting.items() if isinstance(key, kind))

    def ring(self, key: Hashable) -> None:
        """Whoever waits for *key* looks again."""
        for bell in tuple(self._waiting.get(key, ())):
            bell.ring()

    def ring_all(self, kind: type = object) -> None:
        """Whoever waits for any key of *kind* looks again."""
        for key in tuple(self._waiting):
            if isinstance(key, kind):
                self.ring(key)

    def close(self) -> None:
        """Everybody gives up: requests that wait answer now with what there is."""
        self.closing = True
        self.ring_all()
