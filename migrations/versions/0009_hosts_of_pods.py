"""Backend hosts that say by themselves which addresses their pods have."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "backend_host",
        sa.Column(
            "prefixes", postgresql.ARRAY(postgresql.CIDR), server_default="{}", nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("backend_host", "prefixes")
