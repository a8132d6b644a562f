"""What tenants ask for: pools with their members, VIPs with their listeners."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.schema import SchemaItem

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import (
    Encapsulation,
    Forwarding,
    MemberAdminState,
    Protocol,
    Scheduler,
    WhenNoBackend,
)
from lbaas.persistence.models.base import EMPTY, Labelled, Owned

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
    local: Mapped[bool] = mapped_column(server_default=false())
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
    node: Mapped[str | None]


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
    allowed_sources: Mapped[list[Prefix]] = mapped_column(server_default=EMPTY)
    new_connections_per_source: Mapped[int | None]
    when_no_backend: Mapped[WhenNoBackend] = mapped_column(server_default=WhenNoBackend.SEND_TO_ALL)
    communities: Mapped[list[str]] = mapped_column(server_default=EMPTY)
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
    allowed_sources: Mapped[list[Prefix]] = mapped_column(server_default=EMPTY)
    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pool.id"), index=True)
