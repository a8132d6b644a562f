"""The ledger's sums, and the names of what was counted, whether it is still there or not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    Table,
    Text,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.addresses import Address
from lbaas.domain.usage import Dimension, Direction, Granularity, Question
from lbaas.persistence.ledger.tables import usage_hour, usage_minute, usage_prefix
from lbaas.wire.usage import Point

POINTS = {Direction.INGRESS: Point.NODE, Direction.EGRESS: Point.REPLY}
DIRECTIONS = {point: direction for direction, point in POINTS.items()}
_COLUMNS = {
    Dimension.TENANT: "tenant_id",
    Dimension.VIP: "vip_id",
    Dimension.LISTENER: "listener_id",
    Dimension.DIRECTION: "point",
    Dimension.PREFIX: "prefix",
}

# Where a row stands among all: its step's begin, then what it is told apart by, as text.
Place = tuple[datetime, *tuple[str, ...]]


async def sums(
    session: AsyncSession,
    question: Question,
    begin: datetime,
    end: datetime,
    after: Place | None,
    limit: int,
) -> Sequence[RowMapping]:
    """The first *limit* sums of the steps from *begin* to *end* that stand after *after*, each with its ``place``."""
    inner = _sums(question, begin, end).subquery()
    place = [inner.c.begun_at, *(_as_text(inner.c[name]) for name in dimensions(question))]
    labelled = [column.label(f"place{number}") for number, column in enumerate(place)]
    query = select(inner, *labelled).order_by(*place).limit(limit)
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(*map(literal, after)))
    return (await session.execute(query)).mappings().all()


def place_of(row: RowMapping, question: Question) -> Place:
    """Where *row* stands."""
    return tuple(row[f"place{number}"] for number in range(len(question.by) + 1))


def dimensions(question: Question) -> list[str]:
    """The columns that tell the question's sums apart, in order."""
    return [column for dimension, column in _COLUMNS.items() if dimension in question.by]


def _sums(question: Question, begin: datetime, end: datetime) -> Select[Any]:
    table, time = _table(question)
    step = func.date_trunc(
        literal_column(f"'{question.granularity}'"), time, literal_column("'UTC'")
    ).label("begun_at")
    told = [table.c[name] for name in dimensions(question)]
    counts = [
        cast(func.sum(table.c[name]), BigInteger).label(name)
        for name in ("packets", "bytes", "connections")
        if name in table.c
    ]
    query = select(step, *told, *counts).where(time >= begin, time < end)
    return query.where(*_wanted(question, table)).group_by(step, *told)


def _table(question: Question) -> tuple[Table, ColumnElement[datetime]]:
    if question.of_prefixes:
        return usage_prefix, usage_prefix.c.hour
    if question.granularity is Granularity.MINUTE:
        return usage_minute, usage_minute.c.minute
    return usage_hour, usage_hour.c.hour


def _wanted(question: Question, table: Table) -> Iterable[ColumnElement[bool]]:
    points = POINTS.values() if question.direction is None else [POINTS[question.direction]]
    yield table.c.point.in_(list(points))
    for name in ("tenant_id", "vip_id", "listener_id"):
        if (wanted := getattr(question, name)) is not None:
            yield table.c[name] == wanted
    if question.prefix is not None:
        yield table.c.prefix.op("<<=", is_comparison=True)(question.prefix)


def _as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return func.coalesce(cast(column, Text), "")


@dataclass(frozen=True)
class Name:
    """What something is or was called; a VIP has an address besides."""

    name: str
    address: Address | None


_NAMES = """
    SELECT id, name, {address} AS address FROM {table} WHERE id = ANY(:ids)
    UNION ALL
    SELECT id, name, address FROM departed WHERE kind = '{table}' AND id = ANY(:ids)
"""
_NAMED = {
    "tenant": text(_NAMES.format(table="tenant", address="CAST(NULL AS inet)")),
    "vip": text(_NAMES.format(table="vip", address="address")),
    "listener": text(_NAMES.format(table="listener", address="CAST(NULL AS inet)")),
    "node": text("SELECT id, name, CAST(NULL AS inet) AS address FROM node WHERE id = ANY(:ids)"),
    "host": text(
        "SELECT id, name, CAST(NULL AS inet) AS address FROM backend_host WHERE id = ANY(:ids)"
    ),
}


async def names(
    session: AsyncSession, kind: str, ids: Collection[UUID | None]
) -> Mapping[UUID, Name]:
    """By id. What lives has the name that it has now; what has departed, its last."""
    wanted = [each for each in set(ids) if each is not None]
    if not wanted:
        return {}
    found = (await session.execute(_NAMED[kind], {"ids": wanted})).all()
    # Departed ones come last and may live again: a listener that has left one of its VIPs.
    return {row.id: Name(row.name, row.address) for row in reversed(found)}
