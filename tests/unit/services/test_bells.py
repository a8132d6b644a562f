import asyncio

from lbaas.services.bells import Bells


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_ring_wakes_whoever_waits_for_the_key_and_nobody_else() -> None:
    async def scene() -> list[bool]:
        bells = Bells()
        with bells.listen("a", "b") as one, bells.listen("c") as other:
            bells.ring("b")
            return [await one.wait(now() + 5), await other.wait(now() + 0.01)]

    assert asyncio.run(scene()) == [True, False]


def test_a_ring_before_the_wait_is_not_lost_and_counts_once() -> None:
    async def scene() -> list[bool]:
        bells = Bells()
        with bells.listen("a") as bell:
            bells.ring("a")
            bells.ring("a")
            return [await bell.wait(now()), await bell.wait(now())]

    assert asyncio.run(scene()) == [True, False]


def test_closing_ends_every_wait_with_a_no() -> None:
    async def scene() -> bool:
        bells = Bells()
        with bells.listen("a") as bell:
            asyncio.get_running_loop().call_later(0.01, bells.close)
            return await bell.wait(now() + 5)

    assert asyncio.run(scene()) is False


def test_nobody_begins_to_wait_on_a_closing_server() -> None:
    async def scene() -> bool:
        bells = Bells()
        bells.close()
        with bells.listen("a") as bell:
            async with asyncio.timeout(5):
                return await bell.wait(now() + 60)

    assert asyncio.run(scene()) is False


def test_nothing_is_kept_of_waiters_that_left() -> None:
    bells = Bells()
    with bells.listen("a"), bells.listen("a"):
        pass

    assert not bells._waiting
