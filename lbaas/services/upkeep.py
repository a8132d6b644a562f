"""What a server does now and then of its own accord. Every replica may: they do not get in each other's way."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence import feed, resting
from lbaas.persistence.database import Database
from lbaas.persistence.outages import DATABASE_ERRORS
from lbaas.services import certificates, idempotency, questions, sessions
from lbaas.services.ledger import Ledger
from lbaas.services.tokens import TokenDirectory

PERIOD_S = 10.0

# No request takes so long; whatever does would keep every change after it from all agents.
LONGEST_WRITE = timedelta(seconds=60)

log = structlog.get_logger()


async def run(database: Database, tokens: TokenDirectory, ledger: Ledger) -> None:
    """Upkeep for ever; what fails is logged and tried again with the next round."""
    while True:
        await asyncio.sleep(PERIOD_S)
        await once(database, tokens, ledger)


async def once(database: Database, tokens: TokenDirectory, ledger: Ledger) -> None:
    """Addresses that have rested are free, what is old is forgotten, tokens show their last use.

    The ledger has room for what comes.
    """
    while await _done(database, resting.reap):
        pass
    await _done(database, _bound_horizon)
    await _done(database, idempotency.forget_old)
    await _done(database, sessions.forget_old)
    await _done(database, questions.forget_old)
    await _done(database, certificates.forget_old)
    await _done(database, tokens.note_uses)
    await _done(database, ledger.tend)


async def _bound_horizon(session: AsyncSession) -> None:
    if ended := await feed.end_overlong(session, LONGEST_WRITE):
        log.warning("ended writes that held the feed back", count=ended)


async def _done(
    database: Database, task: Callable[[AsyncSession], Awaitable[int | None]]
) -> int | None:
    """What *task* answers, in a transaction of its own; None if the database did not let it."""
    try:
        async with database.session() as session:
            answer = await task(session)
            await session.commit()
            return answer
    except DATABASE_ERRORS as error:
        log.warning("upkeep failed", task=task.__name__, error=str(error))
        return None
