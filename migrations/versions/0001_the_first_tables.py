"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.Numeric(39, 0)
WORD = sa.String(32)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _operators_tables()
    _tenants_tables()
    _numbers_and_changes()


def downgrade() -> None:
    for table in (
        "change",
        "free_extent",
        "mark",
        "listener",
        "vip",
        "member",
        "pool",
        "token",
        "backend_host",
        "address_pool",
        "peer",
        "node",
        "cluster",
        "tenant",
    ):
        op.drop_table(table)


def _operators_tables() -> None:
    _resource(
        "tenant",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("backend_prefixes", pg.ARRAY(pg.CIDR), nullable=False),
        _unique("tenant", "name"),
    )
    _resource(
        "cluster",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("as_number", sa.BigInteger, nullable=False),
        sa.Column("mark_first", sa.BigInteger, nullable=False),
        sa.Column("mark_last", sa.BigInteger, nullable=False),
        _unique("cluster", "name"),
    )
    _resource(
        "node",
        _reference("node", "cluster_id", "cluster"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("addresses", pg.ARRAY(pg.INET), nullable=False),
        sa.Column("admin_state", WORD, nullable=False),
        *_report(),
        _unique("node", "cluster_id", "name"),
    )
    _resource(
        "peer",
        _reference("peer", "cluster_id", "cluster"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", pg.INET, nullable=False),
        sa.Column("as_number", sa.BigInteger, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("bfd", sa.Boolean, nullable=False),
        sa.Column("multihop", sa.Boolean, nullable=False),
        _unique("peer", "cluster_id", "name"),
    )
    _resource(
        "address_pool",
        _reference("address_pool", "cluster_id", "cluster"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", pg.CIDR, nullable=False),
        sa.Column("reserved", pg.ARRAY(pg.CIDR), nullable=False),
        sa.Column("tenant_ids", pg.ARRAY(sa.Uuid)),
        _unique("address_pool", "name"),
    )
    op.create_index("ix_address_pool_cluster_id", "address_pool", ["cluster_id"])
    _resource(
        "backend_host",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("addresses", pg.ARRAY(pg.INET), nullable=False),
        *_report(),
        _unique("backend_host", "name"),
    )
    op.create_index(
        "ix_backend_host_addresses", "backend_host", ["addresses"], postgresql_using="gin"
    )
    _resource(
        "token",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
        _reference("token", "tenant_id", "tenant", nullable=True, ondelete="CASCADE"),
        _reference("token", "node_id", "node", nullable=True, ondelete="CASCADE"),
        _reference("token", "host_id", "backend_host", nullable=True, ondelete="CASCADE"),
        sa.Column("expires_at", TIME),
        _unique("token", "prefix"),
    )


def _tenants_tables() -> None:
    _resource(
        "pool",
        _reference("pool", "tenant_id", "tenant"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scheduler", WORD, nullable=False),
        sa.Column("forwarding", WORD, nullable=False),
        _unique("pool", "tenant_id", "name"),
    )
    _resource(
        "member",
        _reference("member", "tenant_id", "tenant"),
        _reference("member", "pool_id", "pool", ondelete="CASCADE"),
        sa.Column("address", pg.INET, nullable=False),
        sa.Column("weight", sa.BigInteger, nullable=False),
        sa.Column("admin_state", WORD, nullable=False),
        _unique("member", "pool_id", "address"),
    )
    op.create_index("ix_member_address", "member", ["address"])
    _resource(
        "vip",
        _reference("vip", "tenant_id", "tenant"),
        _reference("vip", "cluster_id", "cluster"),
        _reference("vip", "address_pool_id", "address_pool"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", pg.INET, nullable=False),
        sa.Column("labels", pg.JSONB, nullable=False),
        _unique("vip", "tenant_id", "name"),
        _unique("vip", "address_pool_id", "address"),
    )
    op.create_index("ix_vip_cluster_id", "vip", ["cluster_id"])
    _resource(
        "listener",
        _reference("listener", "tenant_id", "tenant"),
        _reference("listener", "vip_id", "vip"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("protocol", WORD, nullable=False),
        sa.Column("ports", pg.JSONB, nullable=False),
        _reference("listener", "pool_id", "pool"),
        _unique("listener", "vip_id", "name"),
    )
    op.create_index("ix_listener_pool_id", "listener", ["pool_id"])


def _numbers_and_changes() -> None:
    op.create_table(
        "mark",
        _reference("mark", "cluster_id", "cluster"),
        sa.Column("mark", sa.BigInteger, nullable=False, autoincrement=False),
        _reference("mark", "listener_id", "listener", nullable=True),
        sa.Column("freed_at_revision", sa.BigInteger),
        sa.PrimaryKeyConstraint("cluster_id", "mark", name="pk_mark"),
        _unique("mark", "listener_id"),
        sa.CheckConstraint(
            "(listener_id IS NULL) <> (freed_at_revision IS NULL)", name="ck_mark_held_or_freed"
        ),
    )
    op.create_table(
        "free_extent",
        sa.Column("space_id", sa.Uuid, nullable=False),
        sa.Column("hi", NUMBER, nullable=False),
        sa.Column("lo", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("space_id", "hi", name="pk_free_extent"),
        sa.CheckConstraint("lo <= hi + 1", name="ck_free_extent_ordered"),
    )
    op.create_table(
        "change",
        sa.Column(
            "revision",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("(pg_current_xact_id()::text::bigint)"),
        ),
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("revision", "seq", name="pk_change"),
    )
    op.create_index("ix_change_cluster_id_revision", "change", ["cluster_id", "revision"])
    op.create_index("ix_change_object_id_revision", "change", ["object_id", "revision"])


def _resource(table: str, *parts: sa.schema.SchemaItem) -> None:
    """A table of objects with an id and times."""
    op.create_table(
        table,
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.text("now()"), nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )


def _report() -> list[sa.Column[Any]]:
    """What an agent last said."""
    return [
        sa.Column("boot", sa.Uuid),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("applied_revision", sa.BigInteger),
        sa.Column("confirmed_revision", sa.BigInteger),
        sa.Column("applied_digest", sa.Text),
        sa.Column("changes", sa.BigInteger),
        sa.Column("repaired", sa.BigInteger),
        sa.Column("failures", pg.JSONB, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("reported_at", TIME),
    ]


def _reference(
    table: str, column: str, to: str, *, nullable: bool = False, ondelete: str | None = None
) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{to}.id", name=f"fk_{table}_{column}", ondelete=ondelete)
    return sa.Column(column, sa.Uuid, key, nullable=nullable)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name="_".join(["uq", table, *columns]))
