"""What operators say there is: tenants, clusters with their nodes, peers and addresses, hosts, tokens."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, Uuid, false, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import NodeAdminState, Role, TenantAdminState
from lbaas.persistence.models.base import EMPTY, SECRET, Base, Reporting, Resource


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
    communities: Mapped[list[str]] = mapped_column(server_default=EMPTY)


class BackendHost(Reporting, Resource):
    __tablename__ = "backend_host"
    __table_args__ = (Index(None, "addresses", postgresql_using="gin"),)

    name: Mapped[str] = mapped_column(unique=True)
    addresses: Mapped[list[Address]]
    prefixes: Mapped[list[Prefix]] = mapped_column(server_default=EMPTY)


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
