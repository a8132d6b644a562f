"""The tables.

Two rules hold everywhere. What a tenant owns carries ``tenant_id`` itself, children included, so that one
query path can scope every read. Revisions are transaction ids kept as ``bigint``: ``xid8`` has no ``max()``
before Postgres 16, and 2^63 transactions are out of reach.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship
from sqlalchemy.schema import SchemaItem
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


_EMPTY = text("'{}'")  # an array or an object


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


_AT_ONCE = {"fastupdate": "off"}


def _listed(table: str, *more: SchemaItem) -> tuple[SchemaItem, ...]:
    """The indexes of a tenant's list: its pages by age, an operator's by name, and labels.

    Labels have two: one knows keys, for selectors that ask for one, and holds "7" of ``ten=7`` and ``thousand=7`` to be
    the same; the other knows pairs and nothing else. Neither keeps what is new in a list apart, which every search
    would have to go through.
    """
    return (
        Index(None, "tenant_id", "id"),
        Index(None, "name", "id"),
        Index(None, "labels", postgresql_using="gin", postgresql_with=_AT_ONCE),
        Index(
            f"ix_{table}_labels_pairs",
            "labels",
            postgresql_using="gin",
            postgresql_ops={"labels": "jsonb_path_ops"},
            postgresql_with=_AT_ONCE,
        ),
        *more,
    )


class Reporting:
    """What an agent last said. *confirmed_revision* is the newest one applied without a failure."""

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


class Tenant(Resource):
    __tablename__ = "tenant"

    name: Mapped[str] = mapped_column(unique=True)
    backend_prefixes: Mapped[list[Prefix]]
    quotas: Mapped[dict[str, int]] = mapped_column(server_default=text("'{}'"), default=dict)
    admin_state: Mapped[TenantAdminState] = mapped_column(
        server_default=TenantAdminState.ACTIVE, default=TenantAdminState.ACTIVE
    )


class Cluster(Resource):
    __tablename__ = "cluster"

    name: Mapped[str] = mapped_column(unique=True)
    as_number: Mapped[int]
    mark_first: Mapped[int]
    mark_last: Mapped[int]
    timeouts: Mapped[dict[str, int]] = mapped_column(
        server_default=text("""'{"tcp_s": 900, "tcp_fin_s": 120, "udp_s": 300}'""")
    )
    removal_guard_percent: Mapped[int] = mapped_column(server_default=text("50"))
    connection_sync: Mapped[bool] = mapped_column(server_default=false())

    @property
    def marks(self) -> dict[str, int]:
        """The range as the API shows it."""
        return {"first": self.mark_first, "last": self.mark_last}


class Node(Reporting, Resource):
    __tablename__ = "node"
    __table_args__ = (UniqueConstraint("cluster_id", "name"),)

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    name: Mapped[str]
    addresses: Mapped[list[Address]]
    admin_state: Mapped[NodeAdminState]
    removal_confirmed: Mapped[int | None]


class NodeFinding(Base):
    """What a node last found of the listeners that it serves: *by_mark* is by fwmark, as decimal digits.

    *kind* is ``unhealthy`` or ``dropped``. Apart from the node: these come by the ten thousand, and what has
    the same *sha256* as before need be neither read nor written again.
    """

    __tablename__ = "node_finding"

    node_id: Mapped[UUID] = mapped_column(
        ForeignKey("node.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    by_mark: Mapped[dict[str, Any]]


class Peer(Resource):
    __tablename__ = "peer"
    __table_args__ = (UniqueConstraint("cluster_id", "name"),)

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    name: Mapped[str]
    address: Mapped[Address]
    as_number: Mapped[int]
    password: Mapped[str | None] = mapped_column(info=SECRET)
    bfd: Mapped[bool]
    multihop: Mapped[bool]
    graceful_restart: Mapped[bool] = mapped_column(server_default=false())

    @property
    def has_password(self) -> bool:
        """All that the API tells about it."""
        return self.password is not None


class AddressPool(Resource):
    __tablename__ = "address_pool"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    name: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[Prefix]
    reserved: Mapped[list[Prefix]]
    tenant_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    quarantine_s: Mapped[int] = mapped_column(server_default=text("60"), default=60)
    communities: Mapped[list[str]] = mapped_column(server_default=_EMPTY)


class BackendHost(Reporting, Resource):
    __tablename__ = "backend_host"
    __table_args__ = (Index(None, "addresses", postgresql_using="gin"),)

    name: Mapped[str] = mapped_column(unique=True)
    addresses: Mapped[list[Address]]
    prefixes: Mapped[list[Prefix]] = mapped_column(server_default=_EMPTY)


class Token(Resource):
    """A bearer's secret is kept as its SHA-256 only; *prefix* finds it.

    It dies with its tenant. That of a deleted node or host stays, opens nothing, and lets its agent be told so.
    """

    __tablename__ = "token"

    name: Mapped[str]
    role: Mapped[Role]
    prefix: Mapped[str] = mapped_column(unique=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary, info=SECRET)
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenant.id", ondelete="CASCADE"))
    node_id: Mapped[UUID | None] = mapped_column(ForeignKey("node.id", ondelete="SET NULL"))
    host_id: Mapped[UUID | None] = mapped_column(ForeignKey("backend_host.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Pool(Labelled, Owned):
    __tablename__ = "pool"
    __table_args__ = _listed("pool", UniqueConstraint("tenant_id", "name"))

    name: Mapped[str]
    scheduler: Mapped[Scheduler]
    forwarding: Mapped[Forwarding]
    encapsulation: Mapped[Encapsulation | None]
    gue_port: Mapped[int | None]
    hash_ports: Mapped[bool] = mapped_column(server_default=true())
    persistence_s: Mapped[int | None]
    persistence_prefix_v4: Mapped[int | None]
    persistence_prefix_v6: Mapped[int | None]
    one_packet: Mapped[bool] = mapped_column(server_default=false())
    drain_deadline_s: Mapped[int | None]
    quorum: Mapped[int] = mapped_column(server_default=text("1"))
    monitor: Mapped[dict[str, Any] | None]


class Member(Labelled, Owned):
    __tablename__ = "member"
    __table_args__ = (
        UniqueConstraint("pool_id", "address"),
        Index(None, "address"),
        Index(None, "tenant_id"),
        Index(None, "pool_id", "id"),
        CheckConstraint(
            "(admin_state = 'drained') = (drained_at IS NOT NULL)", name="drained_since"
        ),
    )

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pool.id", ondelete="CASCADE"))
    address: Mapped[Address]
    weight: Mapped[int]
    admin_state: Mapped[MemberAdminState]
    drained_at: Mapped[datetime | None]


class Vip(Labelled, Owned):
    """*cluster_id* is the address pool's, copied: a VIP never changes its pool, nor a pool its cluster."""

    __tablename__ = "vip"
    __table_args__ = _listed(
        "vip",
        UniqueConstraint("tenant_id", "name"),
        UniqueConstraint("address_pool_id", "address"),
        Index(None, "address"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    address_pool_id: Mapped[UUID] = mapped_column(ForeignKey("address_pool.id"))
    name: Mapped[str]
    address: Mapped[Address]
    allowed_sources: Mapped[list[Prefix]] = mapped_column(server_default=_EMPTY)
    new_connections_per_source: Mapped[int | None]
    when_no_backend: Mapped[WhenNoBackend] = mapped_column(server_default=WhenNoBackend.SEND_TO_ALL)
    communities: Mapped[list[str]] = mapped_column(server_default=_EMPTY)
    listeners: Mapped[list["Listener"]] = relationship(
        lazy="raise",
        order_by="Listener.id",
        primaryjoin="or_(Vip.id == foreign(Listener.vip_id), Vip.id == foreign(Listener.dual_vip_id))",
        viewonly=True,
    )


class Listener(Labelled, Owned):
    """*dual_vip_id* is a VIP of the other family that it serves as well, of the same tenant and cluster."""

    __tablename__ = "listener"
    __table_args__ = _listed(
        "listener",
        UniqueConstraint("vip_id", "name"),
        UniqueConstraint("dual_vip_id", "name"),
        CheckConstraint("dual_vip_id <> vip_id", name="two_vips"),
        Index(None, "tenant_id", "name", "id"),
    )

    vip_id: Mapped[UUID] = mapped_column(ForeignKey("vip.id"))
    dual_vip_id: Mapped[UUID | None] = mapped_column(ForeignKey("vip.id"))
    name: Mapped[str]
    protocol: Mapped[Protocol]
    ports: Mapped[list[dict[str, Any]]]
    all_ports: Mapped[bool] = mapped_column(server_default=false())
    allowed_sources: Mapped[list[Prefix]] = mapped_column(server_default=_EMPTY)
    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pool.id"), index=True)


class Mark(Base):
    """A number of a cluster's range that a listener has, or that waits until no node can hold it still."""

    __tablename__ = "mark"
    __table_args__ = (
        CheckConstraint(
            "(listener_id IS NULL) <> (freed_at_revision IS NULL)", name="held_or_freed"
        ),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    mark: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    listener_id: Mapped[UUID | None] = mapped_column(ForeignKey("listener.id"), unique=True)
    freed_at_revision: Mapped[int | None]


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


class FreeExtent(Base):
    """Numbers *lo* to *hi* of a space are free; extents of one space are disjoint.

    A space is an address pool's addresses or a cluster's fwmarks, named by that object's id. The key is
    *hi*: taking the lowest number changes *lo* only, so the update touches no index.
    """

    __tablename__ = "free_extent"
    __table_args__ = (CheckConstraint("lo <= hi + 1", name="ordered"),)

    space_id: Mapped[UUID] = mapped_column(primary_key=True)
    hi: Mapped[Decimal] = mapped_column(Numeric(39, 0), primary_key=True)
    lo: Mapped[Decimal] = mapped_column(Numeric(39, 0))


class RestingNumber(Base):
    """A number of a space that was given back, and is nobody's until *due_at*.

    *owner_id*, the tenant who had it, may have it again at once: nobody else's packets can reach him by it.
    """

    __tablename__ = "resting_number"
    __table_args__ = (Index(None, "due_at"),)

    space_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[Decimal] = mapped_column(Numeric(39, 0), primary_key=True)
    owner_id: Mapped[UUID]
    due_at: Mapped[datetime]


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


class Change(Base):
    """One object of a cluster changed in transaction *revision*: the feed's row.

    *kind* and *object_id* name the smallest thing that is compiled as a whole: a VIP (its listeners
    included), a pool (its members included), the cluster itself (nodes, peers) or a backend host, which
    has no cluster. No foreign keys: the row outlives what it tells of.
    """

    __tablename__ = "change"
    __table_args__ = (Index(None, "cluster_id", "revision"), Index(None, "object_id", "revision"))

    revision: Mapped[int] = mapped_column(primary_key=True, server_default=CURRENT_REVISION)
    seq: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    cluster_id: Mapped[UUID | None]
    kind: Mapped[str]
    object_id: Mapped[UUID]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Pruned(Base):
    """The one row: changes up to revision *upto* may be missing from the feed."""

    __tablename__ = "pruned"
    __table_args__ = (CheckConstraint("one", name="one_row"),)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    upto: Mapped[int]


class FeedEpoch(Base):
    """The one row: the epoch, an operator's word that this database is the truth since *begun_at*."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("one", name="one_row"),)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    id: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    begun_at: Mapped[datetime] = mapped_column(server_default=func.now())
