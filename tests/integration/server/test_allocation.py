import asyncio
import secrets
from uuid import UUID

import pytest
from sqlalchemy import text

from lbaas.persistence import extents
from lbaas.persistence.database import Database
from lbaas.persistence.extents import Span

pytestmark = pytest.mark.anyio

SPACE = UUID(int=1)
ALLOCATORS = 32


async def open_space(database: Database, *spans: Span) -> None:
    async with database.session() as session:
        await extents.open_space(session, SPACE, spans)
        await session.commit()


async def take(database: Database, first: int, size: int) -> int | None:
    async with database.autocommit() as session:
        return await extents.take_any(session, SPACE, first + secrets.randbelow(size))


async def take_given(database: Database, number: int) -> bool:
    async with database.session() as session:
        taken = await extents.take_given(session, SPACE, number)
        await session.commit()
        return taken


async def give_back(database: Database, number: int) -> None:
    async with database.autocommit() as session:
        await extents.give_back(session, SPACE, number)


async def free(database: Database) -> list[tuple[int, int]]:
    async with database.session() as session:
        rows = await session.execute(text("SELECT lo, hi FROM free_extent ORDER BY hi"))
        return [(int(row.lo), int(row.hi)) for row in rows]


async def take_all(database: Database, first: int, size: int) -> list[int]:
    """What 32 allocators get until each is told that nothing is left."""

    async def one() -> list[int]:
        mine = []
        while (number := await take(database, first, size)) is not None:
            mine.append(number)
        return mine

    taken = await asyncio.gather(*(one() for _ in range(ALLOCATORS)))
    return [number for numbers in taken for number in numbers]


@pytest.fixture
async def network(database: Database) -> tuple[int, int]:
    """A /20: first number and size."""
    first, size = 0xC6336000, 4096
    await open_space(database, Span(first, first + size - 1))
    return first, size


async def test_32_allocators_get_every_address_once_twice_over(
    database: Database, network: tuple[int, int]
) -> None:
    first, size = network
    everything = list(range(first, first + size))

    assert sorted(await take_all(database, first, size)) == everything
    assert await free(database) == []

    shuffled = sorted(everything, key=lambda _: secrets.randbelow(1 << 30))
    chunks = [shuffled[start::ALLOCATORS] for start in range(ALLOCATORS)]

    async def release(numbers: list[int]) -> None:
        for number in numbers:
            await give_back(database, number)

    await asyncio.gather(*(release(numbers) for numbers in chunks))
    given_back = [n for lo, hi in await free(database) for n in range(lo, hi + 1)]
    assert given_back == everything

    assert sorted(await take_all(database, first, size)) == everything


async def test_takers_and_givers_at_once_end_in_an_exact_partition(
    database: Database, network: tuple[int, int]
) -> None:
    first, size = network

    async def churn() -> list[int]:
        held: list[int] = []
        for step in range(30):
            number = await take(database, first, size)
            if number is not None:
                held.append(number)
            if step % 3 == 2 and held:
                await give_back(database, held.pop(0))
        return held

    held = [
        number
        for numbers in await asyncio.gather(*(churn() for _ in range(12)))
        for number in numbers
    ]
    left = [n for lo, hi in await free(database) for n in range(lo, hi + 1)]

    assert sorted(held + left) == list(range(first, first + size))


async def test_one_given_back_alone_joins_its_neighbours(database: Database) -> None:
    await open_space(database, Span(10, 10), Span(12, 12))

    await give_back(database, 11)

    assert await free(database) == [(10, 12)]


async def test_a_given_number_splits_its_extent_and_is_taken_once(database: Database) -> None:
    async with database.session() as session:
        await extents._insert(session, SPACE, Span(10, 20))
        await session.commit()

    assert await take_given(database, 15)
    assert await free(database) == [(10, 14), (16, 20)]
    assert not await take_given(database, 15)
    assert await take_given(database, 20)
    assert await free(database) == [(10, 14), (16, 19)]
    assert not await take_given(database, 21)


async def test_nothing_is_called_exhausted_that_an_open_transaction_may_give_up(
    database: Database,
) -> None:
    await open_space(database, Span(7, 7))
    async with database.session() as holder:
        assert await extents.take_any(holder, SPACE, 0) == 7
        waiter = asyncio.create_task(take(database, 0, 1))
        await asyncio.sleep(0.2)
        assert not waiter.done()
        await holder.rollback()
    assert await waiter == 7


async def test_a_64_bit_space_gives_numbers_out_at_once(database: Database) -> None:
    first = 0x20010DB8 << 96
    await open_space(database, Span(first, first + 2**64 - 1))

    numbers = [await take(database, first, 2**64) for _ in range(20)]

    assert len(set(numbers)) == 20
    assert all(number is not None and first <= number < first + 2**64 for number in numbers)
