"""What Postgres says of credentials, kept in memory as long as revocations are sure to be heard."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 100_000


class Remembered(Generic[K, V]):
    """What *look_up* found, by key. It is asked again while *hearing* says no, and for what was forgotten."""

    def __init__(
        self, look_up: Callable[[K], Awaitable[V | None]], hearing: Callable[[], bool]
    ) -> None:
        self._look_up = look_up
        self._hearing = hearing
        self._known: dict[K, V] = {}
        self._generation = 0

    async def get(self, key: K) -> V | None:
        """What there is of *key*; that there is nothing is not remembered."""
        known = self._known.get(key) if self._hearing() else None
        return known or await self._ask(key)

    def forget(self, key: K) -> None:
        """The next use of *key* asks Postgres."""
        self._generation += 1
        self._known.pop(key, None)

    def forget_all(self) -> None:
        """The next use of any key does."""
        self._generation += 1
        self._known.clear()

    async def _ask(self, key: K) -> V | None:
        generation = self._generation
        found = await self._look_up(key)
        # A revocation that came while we read may already be in force: then what we read is not kept.
        if found is not None and generation == self._generation and len(self._known) < MOST:
            self._known[key] = found
        return found
