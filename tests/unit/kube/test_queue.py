"""The queue: no key is worked on twice at once, and none is forgotten."""

import asyncio
from collections.abc import Callable

from lbaas.kube.queue import WorkQueue


class Clock:
    """Keeps what is to happen later."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.calls.append((delay_s, call))


def test_a_key_waits_once() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for key in ("a", "b", "a"):
            queue.add(key)
        assert [await queue.take(), await queue.take()] == ["a", "b"]

    asyncio.run(run())


def test_what_is_added_while_it_is_worked_on_comes_again_after_that() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        assert await queue.take() == "a"
        queue.add("a")
        queue.add("b")
        assert await queue.take() == "b"
        queue.done("a")
        assert await queue.take() == "a"

    asyncio.run(run())


def test_pauses_double_until_a_key_is_settled() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock.later)
    pauses = [queue.come_back("a") for _ in range(10)]
    assert pauses == sorted(pauses)
    assert (pauses[1], pauses[-1]) == (2 * pauses[0], 60.0)
    queue.settled("a")
    assert queue.come_back("a") == pauses[0]
    assert [delay_s for delay_s, _ in clock.calls] == [*pauses, pauses[0]]
