"""Agents' certificates, and enrolment by one-time tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

AGENTS = {"node_id": "node", "host_id": "backend_host"}
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Column("key_sha256", sa.LargeBinary()),
        *_agents("enrolment", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_enrolment"),
        sa.UniqueConstraint("prefix", name="uq_enrolment_prefix"),
    )
    op.create_table(
        "agent_certificate",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("issued_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        *_agents("agent_certificate", "SET NULL"),
        sa.PrimaryKeyConstraint("sha256", name="pk_agent_certificate"),
    )
    op.create_index("ix_agent_certificate_expires_at", "agent_certificate", ["expires_at"])
    for table in ("enrolment", "agent_certificate"):
        for column in AGENTS:
            op.create_index(f"ix_{table}_{column}", table, [column])
    for table in AGENTS.values():
        op.add_column(table, sa.Column("certificate_expires_at", TIME))


def _agents(table: str, on_delete: str) -> list[sa.schema.SchemaItem]:
    """The columns that name a node or a host, and what binds them."""
    columns = [sa.Column(column, sa.Uuid()) for column in AGENTS]
    bonds = [
        sa.ForeignKeyConstraint(
            [column], [f"{of}.id"], name=f"fk_{table}_{column}", ondelete=on_delete
        )
        for column, of in AGENTS.items()
    ]
    return [*columns, *bonds]


def downgrade() -> None:
    for table in AGENTS.values():
        op.drop_column(table, "certificate_expires_at")
    op.drop_table("agent_certificate")
    op.drop_table("enrolment")
