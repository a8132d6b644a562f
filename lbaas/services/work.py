"""One request's work: who asks, in which transaction, and what others must be told afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import Role
from lbaas.persistence import feed
from lbaas.persistence.notices import Notice
from lbaas.persistence.violations import as_refusal

CHANGE, REPORT, TOKEN = "change", "report", "token"  # topics of notices
HOSTS = "hosts"  # subject: whatever concerns backend hosts
ALL = "*"  # subject: every token


@dataclass(frozen=True)
class Caller:
    """The bearer of a good token. *tenant_id*, *node_id*, *host_id*: whichever the role implies.

    *cluster_id* is the node's, which never changes.
    """

    token_id: UUID
    role: Role
    tenant_id: UUID | None = None
    node_id: UUID | None = None
    host_id: UUID | None = None
    cluster_id: UUID | None = None
    expires_at: datetime | None = None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


@dataclass
class Work:
    """The services' common argument. They never commit: :meth:`commit` is called once, at the edge."""

    session: AsyncSession
    caller: Caller
    notices: list[Notice] = field(default_factory=list)
    _clusters: set[UUID | None] = field(default_factory=set)

    async def changed(self, kind: str, object_id: UUID, clusters: Iterable[UUID | None]) -> None:
        """The object's change goes to the feeds of *clusters*; None stands for backend hosts alone."""
        concerned = set(clusters)
        self._clusters |= concerned
        await feed.note_change(self.session, kind, object_id, concerned)

    def tell(self, topic: str, subject: object) -> None:
        """Every replica hears of it after the commit."""
        self.notices.append(Notice(topic, str(subject)))

    async def commit(self) -> int | None:
        """Everything is durable; its revision, None if nothing was written.

        Raises a Refused if another request's write, done at the same time, forbids it.
        """
        try:
            await self.session.flush()
            revision = await feed.current_transaction(self.session)
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
