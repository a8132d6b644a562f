"""One request's work: who asks, in which transaction, and what others must be told afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import Role
from lbaas.errors import ChangedMeanwhile
from lbaas.persistence import feed
from lbaas.persistence.models import Vip
from lbaas.persistence.notices import Notice, notify
from lbaas.persistence.provenance import Provenance
from lbaas.persistence.violations import as_refusal
from lbaas.services.trail import Trail
from lbaas.tracing import spans

CHANGE, REPORT, TOKEN = "change", "report", "token"  # topics of notices
HOSTS = "hosts"  # subject: whatever concerns backend hosts
ALL = "*"  # subject: every token


@dataclass(frozen=True)
class Caller:
    """The bearer of a good token, or of a good certificate if *certified*.

    *tenant_id*, *node_id*, *host_id*: whichever the role implies. *bearer* names him for good (``token:…``), *name* for
    people. *cluster_id* is the node's, which never changes.
    """

    bearer: str
    name: str
    role: Role
    tenant_id: UUID | None = None
    node_id: UUID | None = None
    host_id: UUID | None = None
    cluster_id: UUID | None = None
    expires_at: datetime | None = None
    certified: bool = False

    @property
    def idempotency_scope(self) -> str:
        """Whose keys his are: all tokens of a tenant share them, so that one may be replaced at any time."""
        return self.bearer if self.tenant_id is None else f"tenant:{self.tenant_id}"

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


@dataclass
class Precondition:
    """``If-Match``: the object that is changed must have one of *versions*; any if they are None."""

    object_id: UUID
    versions: frozenset[str] | None
    checked: bool = False

    def check(self, version: int) -> None:
        """Raises ChangedMeanwhile. Call it with the row held, so that what was checked stays so."""
        self.checked = True
        if self.versions is not None and str(version) not in self.versions:
            raise ChangedMeanwhile(
                f'the object is at version "{version}": read it again, then decide again',
                extra={"version": version},
            )


@dataclass
class Work:
    """The services' common argument. They never commit: :meth:`commit` is called once, at the edge.

    *shown* is the version of the object that the answer shows, *confidential* whether the answer holds a
    secret.
    """

    session: AsyncSession
    caller: Caller
    request_id: str = ""
    precondition: Precondition | None = None
    notices: list[Notice] = field(default_factory=list)
    shown: str | None = None
    confidential: bool = False
    _clusters: set[UUID | None] = field(default_factory=set)
    _revision: int | None = None
    _kept: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trail = Trail(self.session)

    @property
    def provenance(self) -> Provenance:
        """What the feed tells of who wrote."""
        return Provenance(self.request_id or None, spans.current())

    async def changed(self, kind: str, object_id: UUID, clusters: Iterable[UUID | None]) -> None:
        """The object's change goes to the feeds of *clusters*; None stands for backend hosts alone."""
        concerned = set(clusters)
        self._clusters |= concerned
        await feed.note_change(self.session, kind, object_id, concerned, self.provenance)

    async def pool_changed(self, pool_id: UUID) -> None:
        """The pool's change goes to the feeds of the clusters in which it is used."""
        self._clusters |= await feed.note_pool(self.session, pool_id)

    async def tenant_changed(self, tenant_id: UUID) -> None:
        """The change of all VIPs of the tenant goes to the feeds of their clusters."""
        self._clusters |= await feed.note_vips(
            self.session, Vip.tenant_id == tenant_id, self.provenance
        )

    async def address_pool_changed(self, pool_id: UUID) -> None:
        """The change of all VIPs that have an address of the pool goes to the feed of their cluster."""
        self._clusters |= await feed.note_vips(
            self.session, Vip.address_pool_id == pool_id, self.provenance
        )

    def keep(self, row: object) -> None:
        """The session answers for *row* without asking again; it forgets what nobody holds."""
        self._kept.append(row)

    async def revoke(self, prefix: str) -> None:
        """With the commit every replica forgets the token of *prefix*; every token if it is ALL.

        Other notices may be lost with this process, since whoever waits for one also looks for himself. For a
        revocation nobody looks: its notice is a part of the transaction.
        """
        notice = Notice(TOKEN, prefix)
        await notify(self.session, notice)
        self.notices.append(notice)

    def written_at(self, revision: int) -> None:
        """The transaction has written, and *revision* is its revision."""
        self._revision = revision

    async def revision(self) -> int | None:
        """The transaction's revision; None if it has written nothing yet."""
        if self._revision is None:
            self._revision = await feed.current_transaction(self.session)
        return self._revision

    async def commit(self) -> int | None:
        """Everything is durable; its revision, None if nothing was written.

        Raises a Refused if another request's write, done at the same time, forbids it.
        """
        try:
            await self.session.flush()
            revision = await self.revision()
            await self.session.commit()
        except IntegrityError as error:
            raise as_refusal(error) from error
        self._announce(revision or 0)
        return revision

    def _announce(self, revision: int) -> None:
        for cluster in self._clusters - {None}:
            self.notices.append(Notice(CHANGE, str(cluster), revision))
        if self._clusters:  # any change may concern a host: see the decision record on feed order
            self.notices.append(Notice(CHANGE, HOSTS, revision))
