"""What agents are told of the past of their states, and whether this process's own is still the database's.

Asked of Postgres once for each revision, and remembered. A connection that was lost may come back to a database that
was restored to the past: then all is asked again, and what this process held of another past is dropped.
"""

import asyncio
from typing import TypeVar
from uuid import UUID

from lbaas.errors import Conflict
from lbaas.persistence import lineage
from lbaas.persistence.database import Database
from lbaas.persistence.lineage import Epoch, Moment
from lbaas.persistence.notices import Notice
from lbaas.services.trail import Action, Deed
from lbaas.services.work import Work
from lbaas.wire.lineage import EPOCH, FORGOTTEN, MADE_AT, SINCE_MADE_AT

Headers = tuple[tuple[str, str], ...]

K = TypeVar("K")
V = TypeVar("V")

# Revisions that somebody was told of; the agents of a cluster mostly hold one or two.
REMEMBERED = 10_000

RENEWED = "epoch"  # topic of notices, and kind of events


class Lineage:
    """*database* is what states are read from, *primary* what they are written to: maybe the same."""

    def __init__(self, database: Database, primary: Database) -> None:
        self._databases = (database,) if database is primary else (database, primary)
        self._primary = primary
        self._told: dict[int, asyncio.Task[Moment]] = {}
        self._headers: dict[tuple[int, int | None], Headers] = {}
        self._before: dict[int, int] = {}
        self._epoch: asyncio.Task[Epoch] | None = None

    async def headers(self, revision: int, since: int | None) -> Headers:
        """For an answer of *revision* to somebody who holds the state of *since*."""
        known = self._headers.get((revision, since))
        return await self._tell(revision, since) if known is None else known

    async def knows(self, revision: int) -> bool:
        """False if there never was such a revision, in the past that this database has."""
        return (await self._moment(revision)).known

    async def still_holds(self, revision: int) -> bool:
        """True if *revision* is what it was before :meth:`doubt`, as far as anybody was told of it."""
        before = self._before.get(revision)
        return before is not None and (await self._moment(revision)).made_at_us == before

    def doubt(self) -> None:
        """The database may be another than before."""
        for revision, task in self._told.items():
            if _came(task) and (made_at_us := task.result().made_at_us) is not None:
                self._before[revision] = made_at_us
        # The newest last: older ones nobody's state is at any more.
        self._before = dict([*self._before.items()][-REMEMBERED:])
        self._told = {}
        self.forget_epoch()

    async def epoch(self) -> Epoch:
        """The present epoch, as this process last heard."""
        task = self._epoch
        if task is None or (task.done() and not _came(task)):
            self._epoch = task = asyncio.create_task(self._read_epoch())
        return task.result() if task.done() else await asyncio.shield(task)

    def forget_epoch(self) -> None:
        """It may be another by now."""
        self._epoch = None
        self._headers = {}

    async def _tell(self, revision: int, since: int | None) -> Headers:
        """As :meth:`headers`; remembered for all who ask the same, once both moments are known."""
        remembered = self._headers  # another, if the epoch is forgotten meanwhile
        epoch = await self.epoch()
        moment = await self._moment(revision)
        before = moment if since is None else await self._moment(since)
        if not moment.known:
            return ()
        told: Headers = ((EPOCH, str(epoch.id)), (MADE_AT, str(moment.made_at_us or 0)))
        if since is not None:
            told += _since(before)
        if before.known:
            _remember(remembered, (revision, since), told)
        return told

    async def _moment(self, revision: int) -> Moment:
        task = self._told.get(revision)
        if task is None or (task.done() and not _came(task)):
            task = asyncio.create_task(self._ask(revision))
            _remember(self._told, revision, task)
        moment = task.result() if task.done() else await asyncio.shield(task)
        if not moment.known:
            self._told.pop(revision, None)  # it may come yet
        return moment

    async def _ask(self, revision: int) -> Moment:
        """A replica may not have heard of what the primary knows."""
        for database in self._databases:
            async with database.hot.connection() as connection:
                moment = await lineage.moment_of(connection, revision)
            if moment.made_at_us is not None:
                break
        return moment

    async def _read_epoch(self) -> Epoch:
        async with self._primary.hot.connection() as connection:
            return await lineage.epoch(connection)


async def renew(work: Work, present: UUID) -> Epoch:
    """Agents obey this database from the commit on. Raises Conflict if *present* is not the present epoch."""
    renewed = await lineage.renew(work.session, present)
    if renewed is None:
        raise Conflict("that is not the present epoch: look again")
    before, after = ({"id": str(each)} for each in (present, renewed.id))
    work.trail.add(Deed(Action.UPDATE, RENEWED, renewed.id, "", None, before, after))
    work.notices.append(Notice(RENEWED, str(renewed.id)))
    return renewed


def _remember(known: dict[K, V], key: K, value: V) -> None:
    """In place of the oldest, where they are too many."""
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[key] = value


def _since(moment: Moment) -> Headers:
    if moment.made_at_us is not None:
        return ((SINCE_MADE_AT, str(moment.made_at_us)),)
    return ((SINCE_MADE_AT, FORGOTTEN),) if moment.forgotten else ()


def _came(task: asyncio.Task[Moment] | asyncio.Task[Epoch]) -> bool:
    """It is done, and well."""
    return task.done() and not task.cancelled() and task.exception() is None
