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
_TAKEN_FROM_FOUND = """{name}_rest AS (
  UPDATE free_extent AS extent SET lo = extent.lo + {count} FROM {name}_found AS found
  WHERE (extent.space_id, extent.hi) = (found.space_id, found.hi) AND found.lo + {count} <= found.hi
  RETURNING extent.lo - {count} AS number
), {name}_used_up AS (
  DELETE FROM free_extent AS extent USING {name}_found AS found
  WHERE (extent.space_id, extent.hi) = (found.space_id, found.hi) AND found.lo + {count} > found.hi
  RETURNING extent.lo AS number
), {name} AS (
  SELECT number FROM {name}_rest UNION ALL SELECT number FROM {name}_used_up
)"""
_FOUND_UNLOCKED = """{name}_above AS (
  SELECT * FROM free_extent
  WHERE space_id = :{name}_space AND hi >= :{name}_start AND lo + {count} <= hi + 1 AND {allowed}
  ORDER BY hi LIMIT 1 FOR UPDATE SKIP LOCKED
), {name}_below AS (
  SELECT * FROM free_extent
  WHERE space_id = :{name}_space AND lo + {count} <= hi + 1 AND {allowed}
    AND NOT EXISTS (SELECT FROM {name}_above)
  ORDER BY hi LIMIT 1 FOR UPDATE SKIP LOCKED
), {name}_found AS (
  SELECT * FROM {name}_above UNION ALL SELECT * FROM {name}_below
)"""
_FOUND_WAITING = """taken_found AS (
  SELECT * FROM free_extent WHERE space_id = :taken_space ORDER BY hi LIMIT 1 FOR UPDATE
)"""


def taking(name: str, *, count: str = "1", allowed: str = "TRUE") -> str:
    """Parts of a WITH, the last of which, *name*, has the first of *count* numbers in a row that are taken.

    From one extent that nobody has locked, the first that has so many from ``:NAME_start`` on, else from the
    beginning of ``:NAME_space``. None if there is none, or if it is not *allowed*.
    """
    found = _FOUND_UNLOCKED.format(name=name, count=count, allowed=allowed)
    return f"{found}, {_TAKEN_FROM_FOUND.format(name=name, count=count)}"


_TAKEN = "WITH {parts} SELECT number FROM taken"
_WAITED_FOR = f"{_FOUND_WAITING}, {_TAKEN_FROM_FOUND.format(name='taken', count='1')}"
TAKE = _TAKEN.format(parts=taking("taken"))
_TAKE_WAITING = _TAKEN.format(parts=_WAITED_FOR)
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
_PASSES = (text(TAKE), text(_TAKE_WAITING))
_GIVE_BACK = text(GIVE_BACK)
_INSERT = text("INSERT INTO free_extent (space_id, hi, lo) VALUES (:space, :hi, :lo)")
_DELETE = text("DELETE FROM free_extent WHERE space_id = :space AND hi = :hi")
_AROUND = text(
    "SELECT hi, lo FROM free_extent WHERE space_id = :space AND hi >= :number "
    "ORDER BY hi LIMIT 1 FOR UPDATE"
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
            given = {"taken_space": space, "taken_start": Decimal(start)}
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


async def count_free(session: AsyncSession, space: UUID) -> int:
    """How many numbers of *space* are free."""
    return int(await session.scalar(_COUNT, {"space": space}))


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
