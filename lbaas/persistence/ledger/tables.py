"""The ledger's tables.

Nothing here refers to another table: a VIP that is gone is billed all the same. Counts are partitioned by time (see
:mod:`lbaas.persistence.ledger.partitions`); unknown is null, and equal to itself in a key.
"""

from sqlalchemy import BigInteger, Column, DateTime, Index, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET

from lbaas.persistence.models import Base


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _time(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False)


def _id(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _point() -> Column[str]:
    return Column("point", Text, nullable=False)


def _key(table: str, *columns: str) -> Index:
    name = f"uq_{table}_{'_'.join(columns)}"
    return Index(name, *columns, unique=True, postgresql_nulls_not_distinct=True)


# Of all agents together.
usage_minute = Table(
    "usage_minute",
    Base.metadata,
    _time("minute"),
    _id("tenant_id"),
    _id("vip_id"),
    _id("listener_id", nullable=True),
    _point(),
    _count("packets"),
    _count("bytes"),
    _count("connections"),
    _key("usage_minute", "vip_id", "listener_id", "point", "minute"),
    Index(None, "tenant_id", "minute"),
    postgresql_partition_by="RANGE (minute)",
)

# By agent: reconciliation asks who counted what.
usage_hour = Table(
    "usage_hour",
    Base.metadata,
    _time("hour"),
    _id("tenant_id"),
    _id("vip_id"),
    _id("listener_id", nullable=True),
    _point(),
    _id("agent_id"),
    _count("packets"),
    _count("bytes"),
    _count("connections"),
    _key("usage_hour", "vip_id", "listener_id", "point", "agent_id", "hour"),
    Index(None, "tenant_id", "hour"),
    postgresql_partition_by="RANGE (hour)",
)

# A null prefix stands for all clients that their meter had no room to tell apart.
usage_prefix = Table(
    "usage_prefix",
    Base.metadata,
    _time("hour"),
    _id("tenant_id"),
    _id("vip_id"),
    Column("prefix", CIDR, nullable=True),
    _point(),
    _count("packets"),
    _count("bytes"),
    _key("usage_prefix", "vip_id", "prefix", "point", "hour"),
    Index(None, "tenant_id", "hour"),
    postgresql_partition_by="RANGE (hour)",
)

# How far each meter of an agent has come: reports up to *sequence* are entered, or in *missing*.
usage_meter = Table(
    "usage_meter",
    Base.metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("meter", Uuid, primary_key=True),
    Column("role", Text, nullable=False),
    _count("sequence"),
    Column("counted_until", DateTime(timezone=True)),
    Column("entered_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _count("reports"),
    _count("missing"),
    _count("merged"),
    _count("resets"),
    _count("refused"),
    _count("misdated"),
)

# Reports *first* to *last* of a meter never came.
usage_gap = Table(
    "usage_gap",
    Base.metadata,
    Column("agent_id", Uuid, primary_key=True),
    Column("meter", Uuid, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# What was counted and is gone: triggers write it. *vip_ids* are those that a listener served.
departed = Table(
    "departed",
    Base.metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    _id("tenant_id"),
    Column("cluster_id", Uuid),
    Column("vip_ids", ARRAY(Uuid()), nullable=False, server_default=text("'{}'")),
    Column("name", Text, nullable=False),
    Column("address", INET),
    Column("departed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "departed_at"),
)

# A listener of the VIP sent to a member at the address, until then.
departed_way = Table(
    "departed_way",
    Base.metadata,
    Column("address", INET, primary_key=True),
    Column("vip_id", Uuid, primary_key=True),
    Column("departed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "departed_at"),
)
