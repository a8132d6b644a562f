"""What all tables share: the names of constraints, the types of columns, and what a resource has beside its own."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKey, MetaData, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import (
    Encapsulation,
    Forwarding,
    MemberAdminState,
    NodeAdminState,
    Protocol,
    Role,
    Scheduler,
    TenantAdminState,
    WhenNoBackend,
)

# Column.info of what no event, log line or answer may show.
SECRET = {"secret": True}

CURRENT_REVISION = text("(pg_current_xact_id()::text::bigint)")

HORIZON = text("(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)")


def _words(vocabulary: type[StrEnum]) -> Enum:
    """A closed vocabulary as text without a constraint: a new word needs no change of the table."""
    return Enum(
        vocabulary,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda words: [word.value for word in words],
    )


class Base(DeclarativeBase):
    """Names every constraint, so that a violation can be told apart and a migration can drop it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        Address: INET(),
        Prefix: CIDR(),
        list[Address]: ARRAY(INET()),
        list[Prefix]: ARRAY(CIDR()),
        list[UUID]: ARRAY(Uuid()),
        list[str]: ARRAY(Text()),
        dict[str, str]: JSONB(),
        dict[str, int]: JSONB(),
        dict[str, Any]: JSONB(none_as_null=True),
        list[dict[str, Any]]: JSONB(),
        Role: _words(Role),
        TenantAdminState: _words(TenantAdminState),
        NodeAdminState: _words(NodeAdminState),
        MemberAdminState: _words(MemberAdminState),
        Protocol: _words(Protocol),
        Scheduler: _words(Scheduler),
        Forwarding: _words(Forwarding),
        Encapsulation: _words(Encapsulation),
        WhenNoBackend: _words(WhenNoBackend),
    }


EMPTY = text("'{}'")  # an array or an object


class Identified(Base):
    """What the API lists. Ids are UUIDv7: ordered by time, so pages are stable."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Resource(Identified):
    """What the API shows as an object of its own.

    *version* counts its owners' changes and is the object's ETag. What an agent reports is no such change.
    """

    __abstract__ = True

    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    version: Mapped[int] = mapped_column(server_default=text("1"))

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy passes the class
        return {"eager_defaults": True, "version_id_col": cls.version}


class Owned(Resource):
    """A tenant's object."""

    __abstract__ = True

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"))


class Labelled:
    """An object that its tenant may put labels on, and find again by them."""

    labels: Mapped[dict[str, str]] = mapped_column(server_default=text("'{}'"), default=dict)


class Reporting:
    """What an agent last said. *confirmed_revision* is the newest one applied without a failure.

    *certificate_expires_at* is of its newest certificate: what it is issued is no change of its owner's, either.
    """

    boot: Mapped[UUID | None]
    sequence: Mapped[int | None]
    applied_revision: Mapped[int | None]
    confirmed_revision: Mapped[int | None]
    applied_digest: Mapped[str | None]
    changes: Mapped[int | None]
    repaired: Mapped[int | None]
    failures: Mapped[list[dict[str, Any]]] = mapped_column(
        server_default=text("'[]'"), default=list
    )
    reported_at: Mapped[datetime | None]
    checked: Mapped[int | None]
    facts: Mapped[dict[str, Any] | None]
    unsent: Mapped[dict[str, Any] | None]
    certificate_expires_at: Mapped[datetime | None]
