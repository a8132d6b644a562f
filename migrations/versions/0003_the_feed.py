"""The feed: tokens of deleted agents say so; changes have a time and can be pruned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEARERS = {"node_id": "node", "host_id": "backend_host"}


def upgrade() -> None:
    _tokens_of_deleted_agents("SET NULL")
    op.add_column(
        "change",
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.create_table(
        "pruned",
        sa.Column("one", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("upto", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_pruned"),
        sa.CheckConstraint("one", name=op.f("ck_pruned_one_row")),
    )
    op.execute("INSERT INTO pruned (upto) VALUES (0)")


def downgrade() -> None:
    op.drop_table("pruned")
    op.drop_column("change", "made_at")
    _tokens_of_deleted_agents("CASCADE")


def _tokens_of_deleted_agents(ondelete: str) -> None:
    for column, table in BEARERS.items():
        name = f"fk_token_{column}"
        op.drop_constraint(name, "token", type_="foreignkey")
        op.create_foreign_key(name, "token", table, [column], ["id"], ondelete=ondelete)
