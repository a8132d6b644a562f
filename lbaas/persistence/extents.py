"""Numbers given out from free extents: addresses of a pool, fwmarks of a cluster.

Taking a number locks one extent until the transaction ends; others pass it by (SKIP LOCKED) and start at a
random place, so that writers rarely meet. Cost does not depend on how full the space is. "Exhausted" is
said only when no extent is left at all: one that another transaction has locked may come back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

STRIPES = 64  # enough for 32 writers to pick different ones; few enough to stay in one or two pages

# The update can leave an extent with lo = hi + 1, which the same transaction deletes: nobody else sees it.
_TAKE = """
UPDATE free_extent SET lo = lo + 1
WHERE (space_id, hi) = (
  SELECT space_id, hi FROM free_extent WHERE space_id = :space AND {where}
  ORDER BY hi LIMIT 1 FOR UPDATE {skip}
) RETURNING hi, lo - 1 AS taken
"""
_PASSES = (
    text(_TAKE.format(where="hi >= :start", skip="SKIP LOCKED")),
    text(_TAKE.format(where="hi < :start", skip="SKIP LOCKED")),
    text(_TAKE.format(where="TRUE", skip="")),
)
_INSERT = text("INSERT INTO free_extent (space_id, hi, lo) VALUES (:space, :hi, :lo)")
_DELETE = text("DELETE FROM free_extent WHERE space_id = :space AND hi = :hi")
_ABOVE = """
SELECT hi, lo FROM free_extent WHERE space_id = :space AND hi >= :number
ORDER BY hi LIMIT 1 FOR UPDATE {skip}
"""
_ABOVE_WAITING = text(_ABOVE.format(skip=""))
_ABOVE_UNLOCKED = text(_ABOVE.format(skip="SKIP LOCKED"))
_ENDING = text(
    "SELECT hi, lo FROM free_extent WHERE space_id = :space AND hi = :number FOR UPDATE SKIP LOCKED"
)
_COUNT = text("SELECT coalesce(sum(hi - lo + 1), 0) FROM free_extent WHERE space_id = :space")


@dataclass(frozen=True)
class Span:
    """The numbers *first* to *last*, both included."""

    first: int
    last: int


def without(whole: Span, holes: Iterable[Span]) -> Iterator[Span]:
    """What is left of *whole* when *holes*, which may overlap, are taken out; ascending."""
    first = whole.first
    for hole in sorted(holes, key=lambda span: span.first):
        if first <= min(hole.first - 1, whole.last):
            yield Span(first, min(hole.first - 1, whole.last))
        first = max(first, hole.last + 1)
    if first <= whole.last:
        yield Span(first, whole.last)


def stripes(spans: Iterable[Span], count: int = STRIPES) -> Iterator[Span]:
    """*spans* cut into about *count* parts of about the same size, and never fewer than there are spans."""
    whole = list(spans)
    total = sum(span.last - span.first + 1 for span in whole)
    size = max(1, -(-total // count))
    for span in whole:
        for first in range(span.first, span.last + 1, size):
            yield Span(first, min(first + size - 1, span.last))


async def open_space(session: AsyncSession, space: UUID, spans: Iterable[Span]) -> None:
    """The numbers of *spans* are free in *space*."""
    await _insert(session, space, *stripes(spans))


async def close_space(session: AsyncSession, space: UUID) -> None:
    """*space* has no free numbers, and none can be taken."""
    await session.execute(text("DELETE FROM free_extent WHERE space_id = :space"), {"space": space})


async def take_any(session: AsyncSession, space: UUID, start: int) -> int | None:
    """A number that is free no longer: the first at hand from *start* on, or None if there is none.

    *start* spreads the callers: pass a random number of the space.
    """
    while True:
        for statement in _PASSES:
            taken = await _take(session, space, statement, start)
            if taken is not None:
                return taken
        # While we waited for a lock, others may have given back what our snapshot did not show.
        if not await _any_left(session, space):
            return None


async def take_given(session: AsyncSession, space: UUID, number: int) -> bool:
    """*number* is free no longer; False if it was not free. Its extent is split around it."""
    extent = await _lock(session, _ABOVE_WAITING, space, number)
    if extent is None or extent.first > number:
        return False
    await _delete(session, space, extent)
    await _insert(session, space, *without(extent, [Span(number, number)]))
    return True


async def give_back(session: AsyncSession, space: UUID, number: int) -> None:
    """*number* is free again, joined with free neighbours unless somebody is taking from them now."""
    first = last = number
    below = await _lock(session, _ENDING, space, number - 1)
    if below is not None:
        await _delete(session, space, below)
        first = below.first
    above = await _lock(session, _ABOVE_UNLOCKED, space, number + 1)
    if above is not None and above.first == number + 1:
        await _delete(session, space, above)
        last = above.last
    await _insert(session, space, Span(first, last))


async def count_free(session: AsyncSession, space: UUID) -> int:
    """How many numbers of *space* are free."""
    return int(await session.scalar(_COUNT, {"space": space}))


async def _take(
    session: AsyncSession, space: UUID, statement: TextClause, start: int
) -> int | None:
    answer = await session.execute(statement, {"space": space, "start": Decimal(start)})
    row = answer.one_or_none()
    if row is None:
        return None
    if row.taken == row.hi:
        await session.execute(_DELETE, {"space": space, "hi": row.hi})
    return int(row.taken)


async def _lock(
    session: AsyncSession, statement: TextClause, space: UUID, number: int
) -> Span | None:
    answer = await session.execute(statement, {"space": space, "number": Decimal(number)})
    row = answer.one_or_none()
    return None if row is None else Span(int(row.lo), int(row.hi))


async def _insert(session: AsyncSession, space: UUID, *spans: Span) -> None:
    rows = [{"space": space, "hi": Decimal(s.last), "lo": Decimal(s.first)} for s in spans]
    if rows:
        await session.execute(_INSERT, rows)


async def _delete(session: AsyncSession, space: UUID, extent: Span) -> None:
    await session.execute(_DELETE, {"space": space, "hi": Decimal(extent.last)})


async def _any_left(session: AsyncSession, space: UUID) -> bool:
    query = text("SELECT EXISTS (SELECT FROM free_extent WHERE space_id = :space)")
    return bool(await session.scalar(query, {"space": space}))
