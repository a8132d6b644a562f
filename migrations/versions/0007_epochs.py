"""The epoch: an operator's word on which database is the truth."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column("one", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("id", sa.Uuid, server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column(
            "begun_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("one", name="pk_epoch"),
        sa.CheckConstraint("one", name=op.f("ck_epoch_one_row")),
    )
    op.execute("INSERT INTO epoch DEFAULT VALUES")


def downgrade() -> None:
    op.drop_table("epoch")
