"""The backend hosts' states: a host is woken, and its state looked at, only where a change may concern it.

A host's revision is the newest of all clusters, as of the last look (decision record: feed order). One look serves
all hosts of the process: it reads what changed since the look before, and loads the hosts that this touches. For
the others it has shown that their states are what they were. They are left to sleep; a host that asks again is
told at once, by an empty delta, how far its state has been confirmed.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from lbaas.compiler.compile import compile_host
from lbaas.compiler.history import History
from lbaas.compiler.snapshot import HostRow
from lbaas.domain.addresses import Address
from lbaas.errors import NotFound
from lbaas.persistence import feed, provenance, snapshot
from lbaas.persistence.database import Database
from lbaas.persistence.hosts import load_hosts
from lbaas.services.answers import Answer, Published
from lbaas.services.bells import Bells
from lbaas.services.books import Book, Subject
from lbaas.services.lineage import Lineage
from lbaas.services.retries import Retries
from lbaas.wire.entries import Entries
from lbaas.wire.state import Write


@dataclass(frozen=True)
class _Held:
    """A host's state, and the rows that it was compiled from."""

    published: Published
    row: HostRow

    @property
    def book(self) -> Book:
        return self.published.book

    def touched(self, objects: Collection[UUID], addresses: Collection[Address]) -> bool:
        """A change of *objects*, in whose pools there are now members at *addresses*, may concern the host."""
        return not (
            self.row.depends_on.isdisjoint(objects)
            and frozenset(self.row.addresses).isdisjoint(addresses)
        )


class HostStates:
    """The newest state of every host that asked. *hearing*: notices do arrive."""

    def __init__(
        self, database: Database, bells: Bells, hearing: Callable[[], bool], lineage: Lineage
    ) -> None:
        self._database = database
        self._lineage = lineage
        self._proven = True
        self._bells = bells
        self._hearing = hearing
        self._held: dict[UUID, _Held] = {}
        self._asked: set[UUID] = set()
        self._ahead: set[UUID] = set()
        self._looked = -1
        self._wanted = 0
        self._fresh = False
        self._looking: asyncio.Task[frozenset[UUID]] | None = None
        self._retries = Retries()

    async def newer(
        self, subject: Subject, since: int | None, until: float, *, whole: bool
    ) -> Answer | None:
        """As :meth:`StateDirectory.newer`."""
        wanted = 0 if since is None else since if whole else since + 1
        with self._bells.listen(subject) as bell:
            while True:
                published = await self._current(subject.id)
                if since is not None and not await self._lineage.knows(since):
                    return published.answer(None)
                if published.book.revision >= wanted:
                    return published.answer(None if whole else since)
                if since is not None and published.book.revision < since:
                    # Another process told it of what we have not seen yet.
                    self._ahead.add(subject.id)
                if not await bell.wait(until):
                    return None

    def changed(self, revision: int) -> None:
        """Something has a change of *revision*, visible now or soon."""
        if revision > self._looked:
            self._wanted = max(self._wanted, revision)
            self.doubt()

    def distrust(self) -> None:
        """As :meth:`StateDirectory.distrust`."""
        self._proven = False

    def doubt(self) -> None:
        """Something may have changed."""
        self._fresh = False
        if self._looking is None and any(map(self._awaited, self._held)):
            self._start()

    def _awaited(self, host: UUID) -> bool:
        return self._bells.awaited(Subject("host", host))

    async def _current(self, host: UUID) -> Published:
        looked = False
        while True:
            if host in self._held and (looked or (self._fresh and self._hearing())):
                return self._confirmed(host)
            if host not in self._held:
                self._asked.add(host)
            # Shielded: one waiter that gives up must not take the look away from the others.
            missing = await asyncio.shield(self._looking or self._start())
            if host in missing:
                raise NotFound("the host was deleted, or the replica has not heard of it yet")
            looked = True

    def _confirmed(self, host: UUID) -> Published:
        """The host's state, which is the same at the revision of the last look."""
        held = self._held[host]
        if held.book.revision < self._looked:
            book = held.book.following(self._looked, held.book.entries)
            self._held[host] = held = _Held(Published("host", book), held.row)
        return held.published

    def _start(self) -> asyncio.Task[frozenset[UUID]]:
        self._fresh = True  # a notice that comes while we look makes it stale again
        self._looking = asyncio.create_task(self._look())
        self._looking.add_done_callback(self._looked_at)
        return self._looking

    def _looked_at(self, looking: asyncio.Task[frozenset[UUID]]) -> None:
        if looking.cancelled() or looking.exception() is not None:
            self._fresh = False  # the next poll, or the safety look, looks again
        elif self._looked < self._wanted:
            asyncio.get_running_loop().call_later(self._retries.next(), self.doubt)
        else:
            self._retries.reset()
            if not self._fresh:
                self.doubt()

    async def _look(self) -> frozenset[UUID]:
        """All that was held is confirmed or loaded, and so is what was asked for; answers what there is not."""
        try:
            return await self._load()
        finally:
            # Here, not in a callback: whoever came between would await a look that is over, again and again.
            self._looking = None

    async def _prove(self) -> None:
        """What is held is of the database's own past, or forgotten."""
        if not self._proven:
            if not await self._lineage.still_holds(self._looked):
                self._looked = -1
                self._forget_all()
            self._proven = True

    async def _load(self) -> frozenset[UUID]:
        await self._prove()
        asked, self._asked = self._asked, set()
        async with self._database.snapshot() as at:
            revision, touched = await self._touched(at)
            rows = await load_hosts(at, asked | touched)
            made = await provenance.by_object(at, await feed.pruned_upto(at), revision)
        moved, self._looked = revision > self._looked, revision
        for host in asked | touched:
            self._publish(host, rows.get(host), made)
        if moved:
            self._ring(self._ahead)
            self._ahead.clear()
        return frozenset((asked | touched) - rows.keys())

    def _ring(self, hosts: Iterable[UUID]) -> None:
        for host in hosts:
            self._bells.ring(Subject("host", host))

    async def _touched(self, at: asyncpg.Connection) -> tuple[int, set[UUID]]:
        """The newest revision, and the hosts to load. Whom nobody waits for is forgotten instead."""
        if self._looked < await feed.pruned_upto(at):
            self._forget_all()
            return await feed.newest_revision(at), set()
        revision, objects = await feed.objects_since(at, self._looked)
        if revision == self._looked:
            return revision, set()
        addresses = await snapshot.member_addresses(at, objects)
        touched = {host for host, held in self._held.items() if held.touched(objects, addresses)}
        for host in [host for host in touched if not self._awaited(host)]:
            touched.remove(host)
            del self._held[host]
        return revision, touched

    def _forget_all(self) -> None:
        self._ring(self._held)
        self._held.clear()

    def _publish(self, host: UUID, row: HostRow | None, made: Iterable[tuple[UUID, Write]]) -> None:
        known = self._held.pop(host, None)
        if row is not None:
            entries = Entries.of(compile_host(row))
            if known is None:
                writes = _concerning(row.depends_on, made)
                book = Book(self._looked, entries, History(self._looked), writes)
            else:
                writes = _concerning(row.depends_on | known.row.depends_on, made)
                book = known.book.following(self._looked, entries, writes)
            self._held[host] = _Held(Published("host", book), row)
        self._ring([host])


def _concerning(objects: Collection[UUID], made: Iterable[tuple[UUID, Write]]) -> tuple[Write, ...]:
    """The writes that changed any of *objects*, each once."""
    return tuple(dict.fromkeys(write for changed, write in made if changed in objects))
