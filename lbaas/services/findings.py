"""What nodes find of the listeners that they serve: members that fail their checks, packets they refused.

Kept by node, kind and fwmark, and written only where it differs from what the node said before: ten thousand
members may be unhealthy, and a node reports twice a minute.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Text, Uuid, any_, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence.hot import Statement
from lbaas.persistence.models import NodeFinding
from lbaas.persistence.prepared import Prepared
from lbaas.wire.canonical import canonical_json
from lbaas.wire.report import Dropped, Report, Unhealthy

UNHEALTHY, DROPPED = "unhealthy", "dropped"

Row = dict[str, Any]


@dataclass(frozen=True)
class Findings:
    """By node."""

    unhealthy: Mapping[UUID, list[Unhealthy]]
    dropped: Mapping[UUID, list[Dropped]]


_KNOWN = Prepared(
    select(NodeFinding.node_id, NodeFinding.kind, NodeFinding.sha256).where(
        NodeFinding.node_id == any_(bindparam("nodes", type_=ARRAY(Uuid())))
    )
)
_UPSERT = Statement(
    """
    INSERT INTO node_finding (node_id, kind, sha256, by_mark)
    SELECT node_id, kind, decode(sha256, 'hex'), by_mark
    FROM json_to_recordset(:rows) AS said (node_id uuid, kind text, sha256 text, by_mark jsonb)
    ON CONFLICT (node_id, kind) DO UPDATE SET sha256 = excluded.sha256, by_mark = excluded.by_mark
    """
)


async def store(connection: asyncpg.Connection, reports: Mapping[UUID, Report]) -> None:
    """What the nodes report of listeners is what is found."""
    said = [row for node, report in reports.items() for row in _rows(node, report)]
    found = await _KNOWN.rows(connection, nodes=list(reports))
    known = {(str(node), kind): sha256.hex() for node, kind, sha256 in found}
    # Of most nodes nothing is known, and there is nothing to say.
    rows = [row for row in said if known.get(_key(row), NOTHING) != row["sha256"]]
    if rows:
        await connection.execute(_UPSERT.sql, *_UPSERT.values({"rows": json.dumps(rows)}))


async def of_marks(session: AsyncSession, nodes: Iterable[UUID], marks: Iterable[int]) -> Findings:
    """What *nodes* find of the listeners that have *marks*."""
    mark = func.unnest(literal([str(mark) for mark in marks], ARRAY(Text()))).column_valued("mark")
    query = select(
        NodeFinding.node_id, NodeFinding.kind, cast(mark, Text), NodeFinding.by_mark[mark]
    ).where(NodeFinding.node_id.in_(list(nodes)), NodeFinding.by_mark.has_key(mark))
    unhealthy: dict[UUID, list[Unhealthy]] = defaultdict(list)
    dropped: dict[UUID, list[Dropped]] = defaultdict(list)
    for node, kind, of_mark, found in await session.execute(query):
        if kind == UNHEALTHY:
            unhealthy[node] += [Unhealthy(mark=of_mark, **each) for each in found]
        else:
            dropped[node].append(Dropped(mark=of_mark, **found))
    return Findings(unhealthy, dropped)


def _rows(node: UUID, report: Report) -> Iterator[Row]:
    unhealthy: dict[str, list[Any]] = defaultdict(list)
    for each in report.unhealthy:
        unhealthy[str(each.mark)].append(each.model_dump(mode="json", exclude={"mark"}))
    dropped = {
        str(each.mark): each.model_dump(mode="json", exclude={"mark"}) for each in report.dropped
    }
    for kind, by_mark in ((UNHEALTHY, unhealthy), (DROPPED, dropped)):
        yield {"node_id": str(node), "kind": kind, "sha256": _sha256(by_mark), "by_mark": by_mark}


def _sha256(by_mark: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(by_mark)).hexdigest()


NOTHING = _sha256({})


def _key(row: Row) -> tuple[str, str]:
    return row["node_id"], row["kind"]
