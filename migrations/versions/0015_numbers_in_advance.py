"""Each session takes numbers of the feed's rows in advance: they order the rows of one transaction, and no others."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE change ALTER COLUMN seq SET CACHE 64")


def downgrade() -> None:
    op.execute("ALTER TABLE change ALTER COLUMN seq SET CACHE 1")
