"""What nodes and hosts counted of each VIP side by side, and how each agent's reports came in."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.usage import Question

_VIPS = text(
    """
    SELECT vip_id, tenant_id,
        coalesce(sum(packets) FILTER (WHERE point = 'node'), 0)::bigint AS ingress_packets,
        coalesce(sum(bytes) FILTER (WHERE point = 'node'), 0)::bigint AS ingress_bytes,
        coalesce(sum(packets) FILTER (WHERE point = 'tunnel'), 0)::bigint AS received_packets,
        coalesce(sum(bytes) FILTER (WHERE point = 'tunnel'), 0)::bigint AS received_bytes,
        coalesce(sum(packets) FILTER (WHERE point = 'reply'), 0)::bigint AS egress_packets,
        coalesce(sum(bytes) FILTER (WHERE point = 'reply'), 0)::bigint AS egress_bytes,
        coalesce(sum(connections) FILTER (WHERE point = 'node'), 0)::bigint AS connections,
        (
            SELECT count(DISTINCT pool.forwarding) > 1 FROM listener JOIN pool ON pool.id = listener.pool_id
            WHERE usage_hour.vip_id IN (listener.vip_id, listener.dual_vip_id)
        ) AS mixed
    FROM usage_hour
    WHERE hour >= :begin AND hour < :end
        AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant)
        AND (CAST(:vip AS uuid) IS NULL OR vip_id = :vip)
        AND (CAST(:after AS uuid) IS NULL OR vip_id > :after)
    GROUP BY vip_id, tenant_id ORDER BY vip_id LIMIT :limit
    """
)
# Hosts that answered without having received, or the reverse; and which members of the VIP they are or were.
_ONE_SIDED = text(
    """
    WITH counted AS (
        SELECT vip_id, agent_id,
            coalesce(sum(packets) FILTER (WHERE point = 'tunnel'), 0)::bigint AS received,
            sum(packets)::bigint AS packets, sum(bytes)::bigint AS bytes
        FROM usage_hour
        WHERE hour >= :begin AND hour < :end AND vip_id = ANY(:vips) AND point IN ('tunnel', 'reply')
        GROUP BY vip_id, agent_id
        HAVING count(*) FILTER (WHERE point = 'tunnel' AND packets > 0) = 0
            OR count(*) FILTER (WHERE point = 'reply' AND packets > 0) = 0
    ), reached AS (
        SELECT counted.vip_id, counted.agent_id, host(member.address) AS address
        FROM counted JOIN backend_host ON backend_host.id = counted.agent_id
        JOIN member ON member.address = ANY(backend_host.addresses)
        JOIN listener ON listener.pool_id = member.pool_id
            AND counted.vip_id IN (listener.vip_id, listener.dual_vip_id)
        UNION
        SELECT counted.vip_id, counted.agent_id, host(departed_way.address)
        FROM counted JOIN backend_host ON backend_host.id = counted.agent_id
        JOIN departed_way ON departed_way.vip_id = counted.vip_id
            AND departed_way.address = ANY(backend_host.addresses)
    )
    SELECT counted.*, backend_host.name,
        ARRAY(
            SELECT reached.address FROM reached
            WHERE (reached.vip_id, reached.agent_id) = (counted.vip_id, counted.agent_id) ORDER BY 1
        ) AS addresses
    FROM counted LEFT JOIN backend_host ON backend_host.id = counted.agent_id
    WHERE counted.packets > 0 ORDER BY counted.vip_id, counted.agent_id
    """
)
_AGENTS = text(
    """
    WITH agent AS (
        SELECT id, name, 'node' AS role, reported_at FROM node
        UNION ALL SELECT id, name, 'host', reported_at FROM backend_host
    ), account AS (
        SELECT agent_id, max(role) AS role, max(counted_until) AS counted_until, max(entered_at) AS entered_at,
            sum(refused)::bigint AS refused, sum(misdated)::bigint AS misdated
        FROM usage_meter GROUP BY agent_id
    ), gap AS (
        SELECT agent_id, jsonb_agg(jsonb_build_object(
            'meter', meter, 'first', "first", 'last', "last", 'found_at', found_at) ORDER BY found_at) AS missing
        FROM usage_gap WHERE found_at >= :begin GROUP BY agent_id
    )
    SELECT coalesce(agent.id, account.agent_id) AS agent_id, agent.name AS agent,
        coalesce(agent.role, account.role) AS role, account.counted_until,
        CASE
            WHEN account.agent_id IS NULL THEN 'missing'
            WHEN agent.id IS NOT NULL AND account.entered_at < CAST(:late AS timestamptz) THEN 'late'
            ELSE 'current'
        END AS state,
        coalesce(gap.missing, '[]') AS missing, coalesce(account.refused, 0) AS refused,
        coalesce(account.misdated, 0) AS misdated
    FROM agent FULL JOIN account ON account.agent_id = agent.id
    LEFT JOIN gap ON gap.agent_id = coalesce(agent.id, account.agent_id)
    WHERE account.agent_id IS NOT NULL OR agent.reported_at >= CAST(:late AS timestamptz)
    ORDER BY 3 DESC, 2, 1
    """
)


async def vips(
    session: AsyncSession, question: Question, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The first *limit* VIPs after *after* of which anything was counted, in order of their ids."""
    given = {
        "begin": question.begin,
        "end": question.end,
        "tenant": question.tenant_id,
        "vip": question.vip_id,
        "after": after,
        "limit": limit,
    }
    return (await session.execute(_VIPS, given)).all()


async def one_sided(
    session: AsyncSession, question: Question, vips: Collection[UUID]
) -> Sequence[Row[Any]]:
    """Of these VIPs, the hosts that answered and received nothing, or received and did not answer."""
    given = {"begin": question.begin, "end": question.end, "vips": list(vips)}
    return (await session.execute(_ONE_SIDED, given)).all()


async def agents(session: AsyncSession, begin: datetime, late: datetime) -> Sequence[Row[Any]]:
    """Every agent that has a meter or should have one; it is late if nothing came since *late*."""
    return (await session.execute(_AGENTS, {"begin": begin, "late": late})).all()
