"""Numbers given out from free extents: addresses of a pool, fwmarks of a cluster.

Taking a number locks one extent until the transaction ends; others pass it by (SKIP LOCKED) and start at a
random place, so that writers rarely meet. Cost does not depend on how full the space is. "Exhausted" is
said only when no extent is left at all: one that another transaction has locked may come back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

STRIPES = 64  # enough for 32 writers to pick different ones; few enough to stay in one or two pages

# What is taken is what the update or the delete returns, and not what was found: the row that a lock
# follows to may be one that this statement's snapshot does not show, and then nothing is taken.
_TAKE_FROM = """
WITH {found}, rest AS (
  UPDATE free_extent AS extent SET lo = extent.lo + 1 FROM found
  WHERE (extent.space_id, extent.hi) = (found.space_id, found.hi) AND found.lo < found.hi
  RETURNING extent.lo - 1 AS number
), used_up AS (
  DELETE FROM free_extent AS extent USING found
  WHERE (extent.space_id, extent.hi) = (found.space_id, found.hi) AND found.lo = found.hi
  RETURNING extent.lo AS number
)
SELECT number FROM rest UNION ALL SELECT number FROM used_up
"""
_UNLOCKED = """above AS (
  SELECT * FROM free_extent WHERE space_id = :space AND hi >= :start
  ORDER BY hi LIMIT 1 FOR UPDATE SKIP LOCKED
), below AS (
  SELECT * FROM free_extent WHERE space_id = :space AND NOT EXISTS (SELECT FROM above)
  ORDER BY hi LIMIT 1 FOR UPDATE SKIP LOCKED
), found AS (
  SELECT * FROM above UNION ALL SELECT * FROM below
)"""
_WAITED_FOR = """found AS (
  SELECT * FROM free_extent WHERE space_id = :space ORDER BY hi LIMIT 1 FOR UPDATE
)"""
TAKE = _TAKE_FROM.format(found=_UNLOCKED)
# *hi* of a row never changes: an extent that grows at its end is another row. So whoever has locked a row
# finds by its key what he has locked.
GIVE_BACK = """
WITH below AS (
  DELETE FROM free_extent WHERE (space_id, hi) IN (
    SELECT space_id, hi FROM free_extent
    WHERE space_id = :space AND hi = CAST(:number AS numeric) - 1 FOR UPDATE SKIP LOCKED
  ) RETURNING lo
), joined AS (
  SELECT coalesce((SELECT lo FROM below), CAST(:number AS numeric)) AS lo
), above AS (
  UPDATE free_extent SET lo = joined.lo FROM joined WHERE (space_id, hi) = (
    SELECT space_id, hi FROM free_extent WHERE space_id = :space AND hi > :number
    ORDER BY hi LIMIT 1 FOR UPDATE SKIP LOCKED
  ) AND free_extent.lo = CAST(:number AS numeric) + 1 RETURNING hi
)
INSERT INTO free_extent (space_id, hi, lo)
SELECT :space, :number, lo FROM joined WHERE NOT EXISTS (SELECT FROM above)
"""
_PASSES = (text(TAKE), text(_TAKE_FROM.format(found=_WAITED_FOR)))
_GIVE_BACK = text(GIVE_BACK)
_INSERT = text("INSERT INTO free_extent (space_id, hi, lo) VALUES (:space, :hi, :lo)")
_DELETE = text("DELETE FROM free_extent WHERE space_id = :space AND hi = :hi")
_AROUND = text(
    "SELECT hi, lo FROM free_extent WHERE space_id = :space AND hi >= :number "
    "ORDER BY hi LIMIT 1 FOR UPDATE"
)


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
            given = {"space": space, "start": Decimal(start)}
            taken = await session.scalar(statement, given)
            if taken is not None:
                return int(taken)
        # While we waited for a lock, others may have given back what our snapshot did not show.
        if not await _any_left(session, space):
            return None


async def take_given(session: AsyncSession, space: UUID, number: int) -> bool:
    """*number* is free no longer; False if it was not free. Its extent is split around it."""
    extent = await _lock_around(session, space, number)
    if extent is None or extent.first > number:
        return False
    await _delete(session, space, extent)
    await _insert(session, space, *without(extent, [Span(number, number)]))
    return True


async def give_back(session: AsyncSession, space: UUID, number: int) -> None:
    """*number* is free again, joined with free neighbours unless somebody is taking from them now."""
    await session.execute(_GIVE_BACK, {"space": space, "number": Decimal(number)})


async def _lock_around(session: AsyncSession, space: UUID, number: int) -> Span | None:
    answer = await session.execute(_AROUND, {"space": space, "number": Decimal(number)})
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
