"""What agents are asked to look at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "question",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("agent_id", sa.Uuid, nullable=False),
        sa.Column("flow", postgresql.JSONB, nullable=False),
        sa.Column("answer", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_question"),
    )
    op.create_index("ix_question_agent_id", "question", ["agent_id"])
    op.create_index("ix_question_expires_at", "question", ["expires_at"])


def downgrade() -> None:
    op.drop_table("question")
