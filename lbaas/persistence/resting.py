"""Numbers that were given back and rest before anybody else may have them.

An address that its VIP has just left may still be announced, cached by a resolver, or sent to by clients: given
to another tenant at once, it would get the first one's packets.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence import extents
from lbaas.persistence.models import RestingNumber

REAP_BATCH = 200  # a few milliseconds: the locks it takes on extents are not felt by allocators


async def lay_down(
    session: AsyncSession, space: UUID, number: int, owner: UUID, rest: timedelta
) -> None:
    """*number* is free again after *rest*; at once if that is none."""
    if not rest:
        await extents.give_back(session, space, number)
        return
    row = {"space_id": space, "number": Decimal(number), "owner_id": owner}
    await session.execute(insert(RestingNumber).values(**row, due_at=func.now() + rest))


async def take_back(session: AsyncSession, space: UUID, number: int, owner: UUID) -> bool:
    """*number* is *owner*'s again, who had it last; False if it does not rest, or another had it."""
    mine = delete(RestingNumber).where(
        RestingNumber.space_id == space,
        RestingNumber.number == Decimal(number),
        RestingNumber.owner_id == owner,
    )
    return await session.scalar(mine.returning(RestingNumber.number)) is not None


async def reap(session: AsyncSession, space: UUID | None = None) -> int:
    """Some of the numbers that have rested enough are free; answers how many. Of *space*, or of all.

    Several may reap at once: each takes those that no other has locked.
    """
    due = select(RestingNumber.space_id, RestingNumber.number).where(
        RestingNumber.due_at <= func.now()
    )
    if space is not None:
        due = due.where(RestingNumber.space_id == space)
    locked = due.order_by(RestingNumber.due_at).limit(REAP_BATCH).with_for_update(skip_locked=True)
    rows = (await session.execute(locked)).all()
    # In one order for all, so that two who reap can't wait for each other's extents.
    for row in sorted(rows):
        await session.execute(
            delete(RestingNumber).where(
                RestingNumber.space_id == row.space_id, RestingNumber.number == row.number
            )
        )
        await extents.give_back(session, row.space_id, int(row.number))
    return len(rows)


async def count(session: AsyncSession, space: UUID) -> int:
    """How many numbers of *space* rest."""
    query = select(func.count()).select_from(RestingNumber).where(RestingNumber.space_id == space)
    return await session.scalar(query) or 0


async def forget(session: AsyncSession, space: UUID) -> None:
    """No number of *space*, which is closed, rests."""
    await session.execute(delete(RestingNumber).where(RestingNumber.space_id == space))
