"""How agents come by certificates, and which ones hold."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from lbaas.domain.terms import Role
from lbaas.persistence.models.base import SECRET, Base, Resource


class Enrolment(Resource):
    """An operator's word that a machine may have one certificate; the token that proves it is kept as its SHA-256.

    Once it is used, *key_sha256* names the key that it was used for: an answer that was lost may be asked for again.
    """

    __tablename__ = "enrolment"

    name: Mapped[str]
    role: Mapped[Role]
    node_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("node.id", ondelete="CASCADE"), index=True
    )
    host_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("backend_host.id", ondelete="CASCADE"), index=True
    )
    prefix: Mapped[str] = mapped_column(unique=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary, info=SECRET)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    key_sha256: Mapped[bytes | None] = mapped_column(LargeBinary, info=SECRET)


class AgentCertificate(Base):
    """A certificate that we issued, by the SHA-256 of its DER. One that is not here opens nothing.

    That of a deleted node or host stays until it expires, and lets its agent be told so.
    """

    __tablename__ = "agent_certificate"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    role: Mapped[Role]
    node_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("node.id", ondelete="SET NULL"), index=True
    )
    host_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("backend_host.id", ondelete="SET NULL"), index=True
    )
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
