"""Counts into the ledger: those that an agent may report are added to what is there, the others are counted.

One statement for the totals of all reports of a request and one for their prefixes. Rows are written in the order of
their keys: two agents that count the same VIPs wait for each other and never in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.wire.usage import Counted, CountedPrefix, Point

# The VIPs of an agent's reports that it may speak of, and whose they are or were.
_OWN = """
    SELECT id, tenant_id FROM vip WHERE id IN (SELECT vip_id FROM said) AND {mine}
    UNION
    SELECT id, tenant_id FROM departed
    WHERE kind = 'vip' AND id IN (SELECT vip_id FROM said) AND {mine}
"""
_OF_NODE = "cluster_id = :cluster"
_OF_MEMBERS = """
    SELECT unnest(ARRAY[listener.vip_id, listener.dual_vip_id])
    FROM backend_host JOIN member ON member.address {within}
    JOIN listener ON listener.pool_id = member.pool_id
    WHERE {one}
    UNION
    SELECT departed_way.vip_id
    FROM backend_host JOIN departed_way ON departed_way.address {within}
    WHERE {one}
"""
_AT_ADDRESSES = _OF_MEMBERS.format(
    within="= ANY(backend_host.addresses)", one="backend_host.id = :agent"
)
# A pod's address is its machine's for as long as the pod is there, and what it counted may come later. So of the
# prefixes that the operator gave to a machine it may speak as of its addresses.
_WITHIN_PREFIXES = _OF_MEMBERS.format(
    within="<<= ANY(backend_host.prefixes)",
    one="backend_host.id = :agent AND backend_host.prefixes <> '{}'",
)
_OF_HOST = f"id IN ({_AT_ADDRESSES} UNION {_WITHIN_PREFIXES})"
# The VIP of a count is or was the listener's.
_OF_LISTENER = """(
        said.listener_id IS NULL
        OR EXISTS (
            SELECT FROM listener WHERE listener.id = said.listener_id
            AND (listener.vip_id = said.vip_id OR listener.dual_vip_id = said.vip_id))
        OR EXISTS (
            SELECT FROM departed WHERE kind = 'listener' AND departed.id = said.listener_id
            AND said.vip_id = ANY(departed.vip_ids))
    )"""

_TOTALS = """
    WITH said AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:times AS timestamptz[]), CAST(:vips AS uuid[]), CAST(:listeners AS uuid[]),
            CAST(:points AS text[]), CAST(:packets AS bigint[]), CAST(:bytes AS bigint[]),
            CAST(:connections AS bigint[])
        ) AS said (at, vip_id, listener_id, point, packets, bytes, connections)
    ), own AS MATERIALIZED ({own}), allowed AS MATERIALIZED (
        SELECT said.*, own.tenant_id FROM said JOIN own ON own.id = said.vip_id
        WHERE said.point = ANY(CAST(:may AS text[])) AND {of_listener}
    ), by_hour AS (
        INSERT INTO usage_hour AS kept
            (hour, tenant_id, vip_id, listener_id, point, agent_id, packets, bytes, connections)
        SELECT date_trunc('hour', at, 'UTC'), tenant_id, vip_id, listener_id, point, CAST(:agent AS uuid),
            sum(packets), sum(bytes), sum(connections)
        FROM allowed GROUP BY 1, 2, 3, 4, 5 ORDER BY 3, 4, 5, 1
        ON CONFLICT (vip_id, listener_id, point, agent_id, hour) DO UPDATE SET
            packets = kept.packets + excluded.packets, bytes = kept.bytes + excluded.bytes,
            connections = kept.connections + excluded.connections
    ), by_minute AS (
        INSERT INTO usage_minute AS kept
            (minute, tenant_id, vip_id, listener_id, point, packets, bytes, connections)
        SELECT date_trunc('minute', at, 'UTC'), tenant_id, vip_id, listener_id, point,
            sum(packets), sum(bytes), sum(connections)
        FROM allowed WHERE at >= :kept_from GROUP BY 1, 2, 3, 4, 5 ORDER BY 3, 4, 5, 1
        ON CONFLICT (vip_id, listener_id, point, minute) DO UPDATE SET
            packets = kept.packets + excluded.packets, bytes = kept.bytes + excluded.bytes,
            connections = kept.connections + excluded.connections
    )
    SELECT (SELECT count(*) FROM said) - (SELECT count(*) FROM allowed)
"""
_PREFIXES = """
    WITH said AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:times AS timestamptz[]), CAST(:vips AS uuid[]), CAST(:prefixes AS cidr[]),
            CAST(:points AS text[]), CAST(:packets AS bigint[]), CAST(:bytes AS bigint[])
        ) AS said (at, vip_id, prefix, point, packets, bytes)
    ), own AS MATERIALIZED ({own}), allowed AS MATERIALIZED (
        SELECT said.*, own.tenant_id FROM said JOIN own ON own.id = said.vip_id
        WHERE said.point = ANY(CAST(:may AS text[]))
    ), by_hour AS (
        INSERT INTO usage_prefix AS kept (hour, tenant_id, vip_id, prefix, point, packets, bytes)
        SELECT date_trunc('hour', at, 'UTC'), tenant_id, vip_id, prefix, point, sum(packets), sum(bytes)
        FROM allowed WHERE at >= :kept_from GROUP BY 1, 2, 3, 4, 5 ORDER BY 3, 4, 5, 1
        ON CONFLICT (vip_id, prefix, point, hour) DO UPDATE SET
            packets = kept.packets + excluded.packets, bytes = kept.bytes + excluded.bytes
    )
    SELECT (SELECT count(*) FROM said) - (SELECT count(*) FROM allowed)
"""


@dataclass(frozen=True)
class Agent:
    """Who counted: a node, of *cluster*, or a backend host, which has none."""

    id: UUID
    cluster: UUID | None

    @property
    def role(self) -> str:
        return "host" if self.cluster is None else "node"

    @property
    def may(self) -> Sequence[Point]:
        """Where it can have counted."""
        return (Point.TUNNEL, Point.REPLY) if self.cluster is None else (Point.NODE,)


# For ten rows a nested loop is best, and for ten thousand the worst: the plan must know how many they are.
_PLAN_EACH = text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")

# Each with the time that it is booked at.
Totals = Sequence[tuple[datetime, Counted]]
Prefixes = Sequence[tuple[datetime, CountedPrefix]]


async def add_totals(
    session: AsyncSession, agent: Agent, totals: Totals, kept_from: datetime
) -> int:
    """The ledger holds *totals* as well, by minute only those since *kept_from*; so many were refused."""
    columns = {
        **_common(totals),
        "listeners": [count.listener for _, count in totals],
        "connections": [count.connections for _, count in totals],
    }
    return await _add(session, _STATEMENTS[agent.role][0], agent, columns, kept_from)


async def add_prefixes(
    session: AsyncSession, agent: Agent, prefixes: Prefixes, kept_from: datetime
) -> int:
    """The ledger holds *prefixes* since *kept_from* as well; so many were refused."""
    columns = {**_common(prefixes), "prefixes": [count.prefix for _, count in prefixes]}
    return await _add(session, _STATEMENTS[agent.role][1], agent, columns, kept_from)


async def _add(
    session: AsyncSession,
    statement: str,
    agent: Agent,
    columns: Mapping[str, Sequence[Any]],
    kept_from: datetime,
) -> int:
    if not columns["times"]:
        return 0
    await session.execute(_PLAN_EACH)
    given = {"agent": agent.id, "may": list(agent.may), "kept_from": kept_from, **columns}
    if agent.cluster is not None:
        given["cluster"] = agent.cluster
    return int((await session.execute(text(statement), given)).scalar_one())


def _common(counts: Iterable[tuple[datetime, Counted | CountedPrefix]]) -> dict[str, list[Any]]:
    """As columns: an array each costs a tenth of what a row each would."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("times", "vips", "points", "packets", "bytes")
    }
    for at, count in counts:
        columns["times"].append(at)
        columns["vips"].append(count.vip)
        columns["points"].append(count.point)
        columns["packets"].append(count.packets)
        columns["bytes"].append(count.bytes)
    return columns


def _statements(mine: str) -> tuple[str, str]:
    own = _OWN.format(mine=mine)
    return _TOTALS.format(own=own, of_listener=_OF_LISTENER), _PREFIXES.format(own=own)


_STATEMENTS = {"node": _statements(_OF_NODE), "host": _statements(_OF_HOST)}
