"""What was done and said: events, answers that are given again, sessions of the portal, questions to agents."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from lbaas.domain.terms import Role
from lbaas.persistence.models.base import Base, Identified


class Event(Identified):
    """Who did what to which object. No foreign keys: it outlives what it tells of."""

    __tablename__ = "event"
    __table_args__ = (
        Index(None, "tenant_id", "id"),
        Index(None, "object_id", "id"),
        Index(None, "kind", "id"),
        Index(None, "actor", "id"),
        Index(None, "request_id"),
        Index(None, "created_at"),
    )

    tenant_id: Mapped[UUID | None]
    actor: Mapped[str]
    actor_name: Mapped[str]
    role: Mapped[Role]
    action: Mapped[str]
    kind: Mapped[str]
    object_id: Mapped[UUID]
    object_name: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    request_id: Mapped[str]


class StoredAnswer(Base):
    """What a POST with an idempotency key was answered; written in the transaction that did the work.

    The key itself is not kept, and a *sealed* body can be read only with it and the bearer's credential.
    """

    __tablename__ = "stored_answer"
    __table_args__ = (Index(None, "created_at"),)

    bearer: Mapped[str] = mapped_column(primary_key=True)
    key_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    headers: Mapped[dict[str, str]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PortalSession(Base):
    """Somebody is signed in at the portal.

    Neither his cookie nor his token can be read from the row: it is found by the cookie's hash, and the token is
    sealed under the cookie.
    """

    __tablename__ = "portal_session"
    __table_args__ = (Index(None, "expires_at"),)

    cookie_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    idle_until: Mapped[datetime]
    expires_at: Mapped[datetime]


class Question(Base):
    """What a node or host was asked to look at, and what it answered: of use for seconds.

    Agents may be deleted meanwhile, so *agent_id* refers to nothing.
    """

    __tablename__ = "question"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    agent_id: Mapped[UUID] = mapped_column(index=True)
    flow: Mapped[dict[str, Any]]
    answer: Mapped[dict[str, Any] | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
