"""The ledger of usage: partitioned counts, how far each meter has come, and what was counted and is gone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTS = ("packets", "bytes", "connections")
TABLES = (
    "departed_way",
    "departed",
    "usage_gap",
    "usage_meter",
    "usage_prefix",
    "usage_hour",
    "usage_minute",
)
# A pair of a VIP and a member's address ends when the listener or the member goes, whichever is first: the other
# is still there then.
FUNCTIONS = {
    "tenant_departs": (
        """
        INSERT INTO departed (kind, id, tenant_id, name) VALUES ('tenant', OLD.id, OLD.id, OLD.name)
        ON CONFLICT (kind, id) DO NOTHING;
        """
    ),
    "vip_departs": (
        """
        INSERT INTO departed (kind, id, tenant_id, cluster_id, name, address)
        VALUES ('vip', OLD.id, OLD.tenant_id, OLD.cluster_id, OLD.name, OLD.address)
        ON CONFLICT (kind, id) DO NOTHING;
        """
    ),
    "listener_departs": (
        """
        INSERT INTO departed AS known (kind, id, tenant_id, vip_ids, name)
        VALUES ('listener', OLD.id, OLD.tenant_id, array_remove(ARRAY[OLD.vip_id, OLD.dual_vip_id], NULL), OLD.name)
        ON CONFLICT (kind, id) DO UPDATE
        SET vip_ids = known.vip_ids || excluded.vip_ids, name = excluded.name, departed_at = now();
        INSERT INTO departed_way (address, vip_id)
        SELECT DISTINCT member.address, served
        FROM member, unnest(array_remove(ARRAY[OLD.vip_id, OLD.dual_vip_id], NULL)) AS served
        WHERE member.pool_id = OLD.pool_id
        ON CONFLICT (address, vip_id) DO UPDATE SET departed_at = now();
        """
    ),
    "member_departs": (
        """
        INSERT INTO departed_way (address, vip_id)
        SELECT DISTINCT OLD.address, served
        FROM listener, unnest(array_remove(ARRAY[listener.vip_id, listener.dual_vip_id], NULL)) AS served
        WHERE listener.pool_id = OLD.pool_id
        ON CONFLICT (address, vip_id) DO UPDATE SET departed_at = now();
        """
    ),
}
TRIGGERS = {
    "tenant_departs": "AFTER DELETE ON tenant",
    "vip_departs": "AFTER DELETE ON vip",
    "listener_departs": "AFTER DELETE OR UPDATE OF vip_id, dual_vip_id, pool_id ON listener",
    "member_departs": "AFTER DELETE OR UPDATE OF address, pool_id ON member",
}


def upgrade() -> None:
    _counts("usage_minute", "minute", _id("listener_id", nullable=True), *_numbers(*COUNTS))
    _keyed("usage_minute", "minute", "vip_id", "listener_id", "point", "minute")
    _counts(
        "usage_hour",
        "hour",
        _id("listener_id", nullable=True),
        _id("agent_id"),
        *_numbers(*COUNTS),
    )
    _keyed("usage_hour", "hour", "vip_id", "listener_id", "point", "agent_id", "hour")
    _counts("usage_prefix", "hour", sa.Column("prefix", pg.CIDR), *_numbers("packets", "bytes"))
    _keyed("usage_prefix", "hour", "vip_id", "prefix", "point", "hour")
    _meters()
    _departed()
    for name, body in FUNCTIONS.items():
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} {TRIGGERS[name]} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    for name, when in TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {when.rpartition(' ')[2]}")
        op.execute(f"DROP FUNCTION {name}()")
    for table in TABLES:
        op.drop_table(table)


def _counts(table: str, time: str, *columns: sa.Column) -> None:
    op.create_table(
        table,
        sa.Column(time, sa.DateTime(timezone=True), nullable=False),
        _id("tenant_id"),
        _id("vip_id"),
        sa.Column("point", sa.Text, nullable=False),
        *columns,
        postgresql_partition_by=f"RANGE ({time})",
    )


def _keyed(table: str, time: str, *key: str) -> None:
    op.create_index(
        f"uq_{table}_{'_'.join(key)}",
        table,
        list(key),
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(f"ix_{table}_tenant_id_{time}", table, ["tenant_id", time])


def _meters() -> None:
    op.create_table(
        "usage_meter",
        _id("agent_id"),
        _id("meter"),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("counted_until", sa.DateTime(timezone=True)),
        _now("entered_at"),
        *_numbers("sequence", "reports", "missing", "merged", "resets", "refused", "misdated"),
        sa.PrimaryKeyConstraint("agent_id", "meter", name="pk_usage_meter"),
    )
    op.create_table(
        "usage_gap",
        _id("agent_id"),
        _id("meter"),
        sa.Column("first", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        _now("found_at"),
        sa.PrimaryKeyConstraint("agent_id", "meter", "first", name="pk_usage_gap"),
    )


def _departed() -> None:
    op.create_table(
        "departed",
        sa.Column("kind", sa.Text, nullable=False),
        _id("id"),
        _id("tenant_id"),
        _id("cluster_id", nullable=True),
        sa.Column("vip_ids", pg.ARRAY(sa.Uuid), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", pg.INET),
        _now("departed_at"),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_departed"),
    )
    op.create_table(
        "departed_way",
        sa.Column("address", pg.INET, nullable=False),
        _id("vip_id"),
        _now("departed_at"),
        sa.PrimaryKeyConstraint("address", "vip_id", name="pk_departed_way"),
    )
    for table in ("departed", "departed_way"):
        op.create_index(f"ix_{table}_departed_at", table, ["departed_at"])


def _id(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Uuid, nullable=nullable)


def _numbers(*names: str) -> list[sa.Column]:
    return [
        sa.Column(name, sa.BigInteger, server_default=sa.text("0"), nullable=False)
        for name in names
    ]


def _now(name: str) -> sa.Column:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
