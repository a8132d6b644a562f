"""What agents have on their disks and the server has not: usage that waits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

AGENTS = ("node", "backend_host")


def upgrade() -> None:
    for table in AGENTS:
        op.add_column(table, sa.Column("unsent", postgresql.JSONB))


def downgrade() -> None:
    for table in AGENTS:
        op.drop_column(table, "unsent")
