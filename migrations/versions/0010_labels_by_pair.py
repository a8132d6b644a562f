"""Labels are found by key and value together."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LABELLED = ("pool", "vip", "listener")


def upgrade() -> None:
    for table in LABELLED:
        op.create_index(
            f"ix_{table}_labels_pairs",
            table,
            ["labels"],
            postgresql_using="gin",
            postgresql_ops={"labels": "jsonb_path_ops"},
            postgresql_with={"fastupdate": "off"},
        )
        op.execute(f"ALTER INDEX ix_{table}_labels SET (fastupdate = off)")


def downgrade() -> None:
    for table in LABELLED:
        op.execute(f"ALTER INDEX ix_{table}_labels RESET (fastupdate)")
        op.drop_index(f"ix_{table}_labels_pairs", table)
