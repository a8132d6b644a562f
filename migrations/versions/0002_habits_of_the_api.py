"""Versions, labels, quotas, quarantine, events, stored answers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.Numeric(39, 0)
TIME = sa.DateTime(timezone=True)
RESOURCES = (
    "tenant",
    "cluster",
    "node",
    "peer",
    "address_pool",
    "backend_host",
    "token",
    "pool",
    "member",
    "vip",
    "listener",
)
INDEXES = (
    ("pool", "tenant_id", "id"),
    ("pool", "name", "id"),
    ("vip", "tenant_id", "id"),
    ("vip", "name", "id"),
    ("vip", "address"),
    ("listener", "tenant_id", "id"),
    ("listener", "name", "id"),
    ("listener", "tenant_id", "name", "id"),
    ("member", "tenant_id"),
    ("member", "pool_id", "id"),
)
LABELLED = ("pool", "vip", "listener")


def upgrade() -> None:
    for table in RESOURCES:
        op.add_column(table, _column("version", sa.BigInteger, "1"))
    for table in ("pool", "member", "listener"):
        op.add_column(table, _column("labels", pg.JSONB, "'{}'"))
    op.alter_column("vip", "labels", server_default=sa.text("'{}'"))
    op.add_column("tenant", _column("quotas", pg.JSONB, "'{}'"))
    op.add_column("tenant", _column("admin_state", sa.String(32), "'active'"))
    op.add_column("address_pool", _column("quarantine_s", sa.BigInteger, "60"))
    op.add_column("token", sa.Column("last_used_at", TIME))
    for table, *columns in INDEXES:
        op.create_index("_".join(["ix", table, *columns]), table, columns)
    for table in LABELLED:
        op.create_index(f"ix_{table}_labels", table, ["labels"], postgresql_using="gin")
    _resting_numbers()
    _events()
    _stored_answers()


def downgrade() -> None:
    for table in ("stored_answer", "event", "resting_number"):
        op.drop_table(table)
    for table in LABELLED:
        op.drop_index(f"ix_{table}_labels", table)
    for table, *columns in INDEXES:
        op.drop_index("_".join(["ix", table, *columns]), table)
    op.drop_column("token", "last_used_at")
    op.drop_column("address_pool", "quarantine_s")
    op.drop_column("tenant", "admin_state")
    op.drop_column("tenant", "quotas")
    op.alter_column("vip", "labels", server_default=None)
    for table in ("pool", "member", "listener"):
        op.drop_column(table, "labels")
    for table in RESOURCES:
        op.drop_column(table, "version")


def _column(name: str, kind: sa.types.TypeEngine | type, default: str) -> sa.Column:
    return sa.Column(name, kind, server_default=sa.text(default), nullable=False)


def _resting_numbers() -> None:
    op.create_table(
        "resting_number",
        sa.Column("space_id", sa.Uuid, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("space_id", "number", name="pk_resting_number"),
    )
    op.create_index("ix_resting_number_due_at", "resting_number", ["due_at"])


def _events() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.Uuid, nullable=False),
        _column("created_at", TIME, "now()"),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("object_name", sa.Text, nullable=False),
        sa.Column("before", pg.JSONB),
        sa.Column("after", pg.JSONB),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    for columns in (
        ["tenant_id", "id"],
        ["object_id", "id"],
        ["kind", "id"],
        ["actor", "id"],
        ["request_id"],
        ["created_at"],
    ):
        op.create_index("_".join(["ix", "event", *columns]), "event", columns)


def _stored_answers() -> None:
    op.create_table(
        "stored_answer",
        sa.Column("bearer", sa.Text, nullable=False),
        sa.Column("key_sha256", sa.LargeBinary, nullable=False),
        sa.Column("request_sha256", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.BigInteger, nullable=False),
        sa.Column("headers", pg.JSONB, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.Boolean, nullable=False),
        _column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("bearer", "key_sha256", name="pk_stored_answer"),
    )
    op.create_index("ix_stored_answer_created_at", "stored_answer", ["created_at"])
