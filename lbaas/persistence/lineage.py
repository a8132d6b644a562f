"""By what a revision is told apart from one of another past, and the epoch."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence.hot import Statement
from lbaas.persistence.models import FeedEpoch

_MADE_AT = Statement(
    """
    SELECT
        (SELECT (extract(epoch FROM made_at) * 1000000)::bigint
            FROM change WHERE revision = :revision LIMIT 1) AS made_at_us,
        :revision <= (SELECT upto FROM pruned) AS forgotten
    """
)
_EPOCH = "SELECT id, begun_at FROM epoch"


@dataclass(frozen=True)
class Moment:
    """When a revision was made; *made_at_us* is None if there is no such revision, or the feed has *forgotten* it."""

    made_at_us: int | None
    forgotten: bool

    @property
    def known(self) -> bool:
        """There is such a revision in the database's past, as far as the feed can tell."""
        return self.made_at_us is not None or self.forgotten


@dataclass(frozen=True)
class Epoch:
    """Since *begun_at* agents take what this database says, whatever they held in the epoch before."""

    id: UUID
    begun_at: datetime


async def moment_of(connection: asyncpg.Connection, revision: int) -> Moment:
    """What the database knows of *revision*. Before the first change there is revision 0, and nothing."""
    if revision == 0:
        return Moment(0, forgotten=False)
    [row] = await connection.fetch(_MADE_AT.sql, *_MADE_AT.values({"revision": revision}))
    return Moment(*row)


async def epoch(connection: asyncpg.Connection) -> Epoch:
    """The present one."""
    [row] = await connection.fetch(_EPOCH)
    return Epoch(*row)


async def renew(session: AsyncSession, present: UUID) -> Epoch | None:
    """A new epoch in place of the *present* one; None if that is not the present one."""
    renewing = (
        update(FeedEpoch)
        .where(FeedEpoch.id == present)
        .values(id=func.gen_random_uuid(), begun_at=func.now())
        .returning(FeedEpoch.id, FeedEpoch.begun_at)
    )
    row = (await session.execute(renewing)).one_or_none()
    return None if row is None else Epoch(*row)
