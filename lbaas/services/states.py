"""The agents' states: built once per revision, shared by all who wait.

A notice makes a state stale; the first to ask after that looks at Postgres, and the others join him. The body is
built anew only if the revision has moved. If the horizon still hides the change that a notice told of,
somebody's write is still open: we look again shortly.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.compiler.compile import compile_cluster, compile_host
from lbaas.domain.terms import Role
from lbaas.errors import Forbidden, NotFound
from lbaas.persistence import feed, snapshot
from lbaas.persistence.database import Database
from lbaas.services.bells import Bells
from lbaas.services.work import CHANGE, HOSTS, Caller
from lbaas.wire.canonical import canonical_json, digest
from lbaas.wire.state import ClusterState, HostState

FIRST_RETRY_S = 0.005
LONGEST_RETRY_S = 0.5


@dataclass(frozen=True)
class Subject:
    """Whose state: a cluster's (*kind* "cluster") or a backend host's ("host")."""

    kind: str
    id: UUID

    @property
    def topic(self) -> tuple[str, str]:
        """The key of the notices that make its state stale."""
        return (CHANGE, str(self.id)) if self.kind == "cluster" else (CHANGE, HOSTS)


@dataclass(frozen=True)
class Served:
    """A state as it goes over the wire."""

    revision: int
    body: bytes
    digest: str


@dataclass
class _Slot:
    served: Served | None = None
    fresh: bool = False
    wanted: int = 0
    loading: asyncio.Task[Served] | None = None
    retry_s: float = field(default=FIRST_RETRY_S)


class StateDirectory:
    """The newest state of every subject that somebody asked for. *hearing*: notices do arrive."""

    def __init__(self, database: Database, bells: Bells, hearing: Callable[[], bool]) -> None:
        self._database = database
        self._bells = bells
        self._hearing = hearing
        self._slots: dict[Subject, _Slot] = {}

    async def newer(self, subject: Subject, since: int | None, until: float) -> Served | None:
        """The subject's state, as soon as it is newer than *since*; None if it is not at time *until*."""
        with self._bells.listen(subject.topic) as bell:
            while True:
                served = await self._current(subject)
                if since is None or served.revision > since:
                    return served
                if not await bell.wait(until):
                    return None

    def changed(self, topic: tuple[str, str], revision: int) -> None:
        """Subjects of *topic* have a change of *revision*, visible now or soon."""
        for subject, slot in self._slots.items():
            if subject.topic == topic:
                slot.fresh = False
                slot.wanted = max(slot.wanted, revision)
        self._bells.ring(topic)

    def doubt(self) -> None:
        """Notices may have been missed: everything is looked at again."""
        for slot in self._slots.values():
            slot.fresh = False

    async def _current(self, subject: Subject) -> Served:
        slot = self._slots.setdefault(subject, _Slot())
        if slot.loading is None:
            if slot.served is not None and slot.fresh and self._hearing():
                return slot.served
            slot.fresh = True  # a notice that comes while we load makes it stale again
            slot.loading = asyncio.create_task(self._refresh(subject, slot))
        # Shielded: one waiter that gives up must not take the state away from the others.
        return await asyncio.shield(slot.loading)

    async def _refresh(self, subject: Subject, slot: _Slot) -> Served:
        try:
            slot.served = await self._load(subject, slot.served)
        except BaseException:
            slot.fresh = False
            raise
        finally:
            slot.loading = None
        self._look_again_if_hidden(subject, slot, slot.served)
        return slot.served

    async def _load(self, subject: Subject, known: Served | None) -> Served:
        async with self._database.session() as session:
            # One snapshot for the horizon, the revision and the rows.
            await session.connection(
                execution_options={
                    "isolation_level": "REPEATABLE READ",
                    "postgresql_readonly": True,
                }
            )
            revision = await _revision(session, subject)
            if known is not None and known.revision == revision:
                return known
            state = await _compile(session, subject, revision)
        body = canonical_json(state)
        return Served(revision, body, digest(body))

    def _look_again_if_hidden(self, subject: Subject, slot: _Slot, served: Served) -> None:
        if served.revision >= slot.wanted:
            slot.retry_s = FIRST_RETRY_S
            return
        loop = asyncio.get_running_loop()
        loop.call_later(slot.retry_s, self.changed, subject.topic, slot.wanted)
        slot.retry_s = min(2 * slot.retry_s, LONGEST_RETRY_S)


def subject_of(caller: Caller) -> Subject:
    """Whose state the caller, an agent, is served."""
    if caller.role is Role.HOST and caller.host_id is not None:
        return Subject("host", caller.host_id)
    if caller.role is Role.NODE and caller.cluster_id is not None:
        return Subject("cluster", caller.cluster_id)
    raise Forbidden("only agents have a state: use a token of role node or host")


async def _revision(session: AsyncSession, subject: Subject) -> int:
    if subject.kind == "cluster":
        return await feed.cluster_revision(session, subject.id)
    return await feed.newest_revision(session)


async def _compile(
    session: AsyncSession, subject: Subject, revision: int
) -> ClusterState | HostState:
    if subject.kind == "cluster":
        cluster = await snapshot.load_cluster(session, subject.id)
        if cluster is not None:
            return compile_cluster(cluster, revision)
    else:
        host = await snapshot.load_host(session, subject.id)
        if host is not None:
            return compile_host(host, revision)
    raise NotFound(f"the {subject.kind} was deleted")
