"""Every field of the resources: sources, tunnels, affinity, checks, dual-stack listeners, what nodes find."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORD = sa.String(32)
ALL_PORTS = sa.text(
    """UPDATE listener SET ports = '[{"first": 1, "last": 65535}]' WHERE all_ports"""
)
TIMEOUTS = '{"tcp_s": 900, "tcp_fin_s": 120, "udp_s": 300}'


def upgrade() -> None:
    for table, column in _columns():
        op.add_column(table, column)
    op.execute("UPDATE pool SET encapsulation = 'ipip' WHERE forwarding = 'tunnel'")
    op.execute("UPDATE member SET drained_at = updated_at WHERE admin_state = 'drained'")
    op.create_check_constraint(
        op.f("ck_member_drained_since"),
        "member",
        "(admin_state = 'drained') = (drained_at IS NOT NULL)",
    )
    op.create_foreign_key("fk_listener_dual_vip_id", "listener", "vip", ["dual_vip_id"], ["id"])
    op.create_unique_constraint("uq_listener_dual_vip_id_name", "listener", ["dual_vip_id", "name"])
    op.create_check_constraint(op.f("ck_listener_two_vips"), "listener", "dual_vip_id <> vip_id")
    op.create_table(
        "node_finding",
        sa.Column("node_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("by_mark", pg.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("node_id", "kind", name="pk_node_finding"),
        sa.ForeignKeyConstraint(
            ["node_id"], ["node.id"], name="fk_node_finding_node_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Listeners of two VIPs keep the first; what the fields said is lost."""
    op.drop_table("node_finding")
    op.execute(ALL_PORTS)
    for table, column in _columns():
        op.drop_column(table, column.name)  # its constraints go with it


def _columns() -> Iterator[tuple[str, sa.Column]]:
    for table in ("vip", "listener"):
        yield table, _given("allowed_sources", pg.ARRAY(pg.CIDR), "{}")
    for table in ("vip", "address_pool"):
        yield table, _given("communities", pg.ARRAY(sa.Text), "{}")
    yield "vip", sa.Column("new_connections_per_source", sa.BigInteger)
    yield "vip", _given("when_no_backend", WORD, "send_to_all")
    yield "listener", sa.Column("dual_vip_id", sa.Uuid)
    yield "listener", _given("all_ports", sa.Boolean, sa.false())
    yield from (("pool", column) for column in _of_pools())
    yield "member", sa.Column("drained_at", sa.DateTime(timezone=True))
    yield "cluster", _given("timeouts", pg.JSONB, TIMEOUTS)
    yield "cluster", _given("removal_guard_percent", sa.BigInteger, sa.text("50"))
    yield "cluster", _given("connection_sync", sa.Boolean, sa.false())
    yield "peer", _given("graceful_restart", sa.Boolean, sa.false())
    yield "node", sa.Column("removal_confirmed", sa.BigInteger)
    for table in ("node", "backend_host"):
        yield table, sa.Column("checked", sa.BigInteger)
        yield table, sa.Column("facts", pg.JSONB)


def _of_pools() -> Iterator[sa.Column]:
    yield sa.Column("encapsulation", WORD)
    yield sa.Column("gue_port", sa.BigInteger)
    yield _given("hash_ports", sa.Boolean, sa.true())
    for name in ("persistence_s", "persistence_prefix_v4", "persistence_prefix_v6"):
        yield sa.Column(name, sa.BigInteger)
    yield _given("one_packet", sa.Boolean, sa.false())
    yield sa.Column("drain_deadline_s", sa.BigInteger)
    yield _given("quorum", sa.BigInteger, sa.text("1"))
    yield sa.Column("monitor", pg.JSONB)


def _given(name: str, kind: sa.types.TypeEngine, default: object) -> sa.Column:
    return sa.Column(name, kind, server_default=default, nullable=False)
