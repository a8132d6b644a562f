"""Pools whose members get packets from their own machine's node only."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "pool", sa.Column("local", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("member", sa.Column("node", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("member", "node")
    op.drop_column("pool", "local")
