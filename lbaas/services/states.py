"""The agents' states: kept up to date once per process, shared by all who wait.

A notice makes a cluster's book stale. If anybody waits for it, it is looked at once, and they are woken only if
its revision has moved. If the horizon still hides the change that a notice told of, somebody's write is still
open: we look again shortly. Backend hosts have a way of their own, :mod:`lbaas.services.host_states`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from lbaas.domain.terms import Role
from lbaas.errors import Forbidden, Gone, NotFound
from lbaas.persistence.database import Database
from lbaas.services import books
from lbaas.services.answers import Answer, Published
from lbaas.services.bells import Bells
from lbaas.services.books import Book, Subject
from lbaas.services.host_states import HostStates
from lbaas.services.lineage import Lineage
from lbaas.services.retries import Retries
from lbaas.services.work import CHANGE, HOSTS, Caller
from lbaas.tracing import spans
from lbaas.tracing.facts import Facts
from lbaas.wire.state import places

log = structlog.get_logger()

Topic = tuple[str, str]


def topic_of(subject: Subject) -> Topic:
    """The key of the notices that make the subject's state stale."""
    return (CHANGE, str(subject.id)) if subject.kind == "cluster" else (CHANGE, HOSTS)


@dataclass
class _Slot:
    published: Published | None = None
    fresh: bool = False
    wanted: int = 0
    proven: bool = True
    loading: asyncio.Task[Published] | None = None
    retries: Retries = field(default_factory=Retries)

    @property
    def revision(self) -> int:
        return -1 if self.published is None else self.published.book.revision


class StateDirectory:
    """The newest state of every subject that somebody asked for. *hearing*: notices do arrive."""

    def __init__(
        self, database: Database, bells: Bells, hearing: Callable[[], bool], lineage: Lineage
    ) -> None:
        self._database = database
        self._bells = bells
        self._hearing = hearing
        self._lineage = lineage
        self._slots: dict[Subject, _Slot] = {}
        self._hosts = HostStates(database, bells, hearing, lineage)

    async def newer(
        self, subject: Subject, since: int | None, until: float, *, whole: bool = False
    ) -> Answer | None:
        """What leads from *since* to the subject's state, as soon as that is newer; None if it is not at
        time *until*. If *whole*, what leads there from nothing, as soon as it is not older.

        At once, and from nothing, if *since* is of no past of ours: who asks shall see that. Raises NotFound."""
        if subject.kind == "host":
            return await self._hosts.newer(subject, since, until, whole=whole)
        wanted = 0 if since is None else since if whole else since + 1
        with self._bells.listen(subject) as bell:
            while True:
                published = await self._current(subject)
                if since is not None and not await self._lineage.knows(since):
                    return published.answer(None)
                if published.book.revision >= wanted:
                    return published.answer(None if whole else since)
                if not await bell.wait(until):
                    return None

    def changed(self, topic: Topic, revision: int) -> None:
        """Subjects of *topic* have a change of *revision*, visible now or soon."""
        if topic == (CHANGE, HOSTS):
            self._hosts.changed(revision)
        for subject, slot in self._slots.items():
            if topic_of(subject) == topic and slot.revision < revision:
                slot.wanted = max(slot.wanted, revision)
                self._stale(subject, slot)

    def doubt(self) -> None:
        """Notices may have been missed: everything is looked at again."""
        self._hosts.doubt()
        for subject, slot in self._slots.items():
            self._stale(subject, slot)

    def distrust(self) -> None:
        """The database may be another than before: what is held is proven before it is built upon."""
        self._hosts.distrust()
        for slot in self._slots.values():
            slot.proven = False
        self.doubt()

    def _stale(self, subject: Subject, slot: _Slot) -> None:
        slot.fresh = False
        if slot.loading is None and self._bells.awaited(subject):
            self._start(subject, slot)

    async def _current(self, subject: Subject) -> Published:
        slot = self._slots.get(subject)
        if slot is None:
            slot = self._slots[subject] = _Slot()
        if slot.loading is None and slot.published is not None and slot.fresh and self._hearing():
            return slot.published
        loading = slot.loading or self._start(subject, slot)
        # Shielded: one waiter that gives up must not take the state away from the others.
        return await asyncio.shield(loading)

    def _start(self, subject: Subject, slot: _Slot) -> asyncio.Task[Published]:
        slot.fresh = True  # a notice that comes while we load makes it stale again
        slot.loading = asyncio.create_task(self._refresh(subject, slot))
        slot.loading.add_done_callback(_note_failure)
        return slot.loading

    async def _refresh(self, subject: Subject, slot: _Slot) -> Published:
        try:
            known = await self._proven(slot)
            book = await self._load(subject, None if known is None else known.book)
        except NotFound:
            self._slots.pop(subject, None)
            self._bells.ring(subject)
            raise
        except BaseException:
            slot.fresh = False
            raise
        finally:
            slot.loading = None
        if known is None or book is not known.book:
            known = slot.published = Published(subject.kind, book)
            self._bells.ring(subject)
        self._look_again_if_needed(subject, slot)
        return known

    async def _proven(self, slot: _Slot) -> Published | None:
        """What the slot holds, if it is of the database's own past."""
        if not slot.proven:
            if slot.published and not await self._lineage.still_holds(slot.revision):
                slot.published = None
            slot.proven = True
        return slot.published

    async def _load(self, subject: Subject, known: Book | None) -> Book:
        began_ns = spans.now_ns()
        async with self._database.snapshot() as at:
            book = await books.load(at, subject.id, known)
        if book is not known:
            # Before those who wait are woken: each of them would wait for it again.
            await self._lineage.knows(book.revision)
        if known is not None:
            facts: Facts = {"lbaas.cluster": str(subject.id), "lbaas.revision": book.revision}
            spans.follow("compile", facts, places(book.writes, known.revision), began_ns)
        return book

    def _look_again_if_needed(self, subject: Subject, slot: _Slot) -> None:
        if slot.revision < slot.wanted:
            loop = asyncio.get_running_loop()
            loop.call_later(slot.retries.next(), self._stale, subject, slot)
            return
        slot.retries.reset()
        if not slot.fresh:
            self._stale(subject, slot)


def subject_of(caller: Caller) -> Subject:
    """Whose state the caller, an agent, is served."""
    if caller.role is Role.HOST and caller.host_id is not None:
        return Subject("host", caller.host_id)
    if caller.role is Role.NODE and caller.cluster_id is not None:
        return Subject("cluster", caller.cluster_id)
    refuse_gone(caller)
    raise Forbidden("only agents have a state: use a token of role node or host")


def refuse_gone(caller: Caller) -> None:
    """The agent's node or host exists. Raises Gone."""
    if caller.role in (Role.HOST, Role.NODE) and caller.node_id is caller.host_id is None:
        raise Gone(
            f"the {caller.role} that this token was for was deleted: stop the agent, which leaves the "
            "kernel as it is, or give it the token of a new one"
        )


def _note_failure(loading: asyncio.Task[Published]) -> None:
    """A look that nobody waits for may fail as well; the safety look repeats it."""
    error = None if loading.cancelled() else loading.exception()
    if error is not None and not isinstance(error, NotFound):
        log.warning("state not looked at", error=repr(error))
