"""Figures of nodes, hosts and address pools, as Postgres has them.

Bounded: of nodes, and of address pools, only so many are shown, those first that an operator must look at.
"""

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import ColumnElement, Float, Select, and_, case, cast, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import NodeAdminState
from lbaas.persistence.models import (
    AddressPool,
    AgentCertificate,
    BackendHost,
    Cluster,
    FreeExtent,
    Node,
    NodeFinding,
)

MOST_SHOWN = 100


class Fleet:
    """What agents last reported, and how full address pools are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, documentation: str, *labels: str) -> Gauge:
            return Gauge(name, documentation, labels, registry=registry)

        self._nodes = gauge(
            "lbaas_nodes", "Nodes, by what an operator wants of them.", "cluster", "admin_state"
        )
        self._failing = gauge(
            "lbaas_agents_failing", "Agents whose last report tells of steps that failed.", "kind"
        )
        self._failures = gauge(
            "lbaas_node_failures",
            "Steps that failed on the node when it last reported.",
            "cluster",
            "node",
        )
        self._repaired = gauge(
            "lbaas_node_repaired",
            "Drift that the node's agent has repaired since it started.",
            "cluster",
            "node",
        )
        self._foreign = gauge(
            "lbaas_node_foreign",
            "What others have in the node's kernel that could disturb it.",
            "cluster",
            "node",
        )
        self._unsent = gauge(
            "lbaas_usage_unsent_age_seconds",
            "How old the oldest usage is that an agent had on its disk when it last reported.",
            "kind",
        )
        self._unheard = gauge(
            "lbaas_node_unheard_peers",
            "Routers that the node does not tell of all that it should.",
            "cluster",
            "node",
        )
        self._held = gauge(
            "lbaas_nodes_holding_removals", "Nodes that wait for an operator's word.", "cluster"
        )
        self._unhealthy = gauge(
            "lbaas_members_unhealthy",
            "Members that fail their checks, over all nodes and listeners.",
            "cluster",
        )
        self._certificates = gauge(
            "lbaas_agent_certificates",
            "Agents by their newest certificate: good, overdue (not renewed though it was time), expired.",
            "kind",
            "state",
        )
        self._free = gauge(
            "lbaas_address_pool_free_ratio", "How much of an address pool is free.", "pool"
        )

    async def look(self, session: AsyncSession) -> None:
        """All gauges are as Postgres has it now."""
        for gauge, query in (
            (self._nodes, _by_state()),
            (self._failures, _first_nodes(func.jsonb_array_length(Node.failures))),
            (self._repaired, _first_nodes(func.coalesce(Node.repaired, 0))),
            (self._foreign, _first_nodes(_facts("foreign"))),
            (self._unheard, _first_nodes(_facts("unheard"))),
            (self._held, _holding()),
            (self._unhealthy, _unhealthy()),
            (self._free, _free()),
        ):
            _show(gauge, (await session.execute(query)).all())
        self._certificates.clear()
        for kind, agents in (("node", Node), ("host", BackendHost)):
            failing = func.jsonb_array_length(agents.failures) > 0
            count = await session.scalar(select(func.count()).select_from(agents).where(failing))
            self._failing.labels(kind).set(count or 0)
            self._unsent.labels(kind).set(await session.scalar(_oldest_unsent(agents)) or 0)
            for state, agents_in_it in (await session.execute(_certificates(agents))).all():
                self._certificates.labels(kind, state).set(agents_in_it)


def _oldest_unsent(agents: type[Node] | type[BackendHost]) -> Select[float]:
    since_s = func.min(agents.unsent["since_s"].as_float())
    return select(func.greatest(cast(func.extract("epoch", func.now()), Float) - since_s, 0))


def _show(gauge: Gauge, rows: Sequence[Sequence[object]]) -> None:
    """A row is labels and, last, the value. What is no longer there is shown no more."""
    gauge.clear()
    for *labels, value in rows:
        gauge.labels(*map(str, labels)).set(float(str(value)))


def _by_state() -> Select[str, NodeAdminState, int]:
    query = select(Cluster.name, Node.admin_state, func.count()).join(Node)
    return query.group_by(Cluster.name, Node.admin_state)


def _first_nodes(value: ColumnElement[int]) -> Select[str, str, float]:
    """Those nodes for which *value* is above 0, the largest first."""
    number = cast(value, Float)
    query = select(Cluster.name, Node.name, number).join(Node)
    return query.where(number > 0).order_by(number.desc()).limit(MOST_SHOWN)


def _facts(name: str) -> ColumnElement[int]:
    return func.coalesce(func.jsonb_array_length(Node.facts[name]), 0)


def _holding() -> Select[str, int]:
    held = func.jsonb_typeof(Node.facts["held_removal"]) == "object"
    query = select(Cluster.name, func.count().filter(held)).join(Node)
    return query.group_by(Cluster.name)


def _unhealthy() -> Select[str, int]:
    """A finding's values are lists, by mark."""
    by_mark = func.jsonb_each(NodeFinding.by_mark).table_valued("key", "value", name="by_mark")
    count = func.coalesce(func.sum(func.jsonb_array_length(by_mark.c.value)), 0)
    query = (
        select(Cluster.name, count)
        .join(Node, Node.cluster_id == Cluster.id)
        .join(NodeFinding, NodeFinding.node_id == Node.id)
        .join(by_mark, literal(True))  # noqa: FBT003  # SQL's ON true
    )
    return query.where(NodeFinding.kind == "unhealthy").group_by(Cluster.name)


def _certificates(agents: type[Node] | type[BackendHost]) -> Select[str, int]:
    """How many agents are in which state. They renew in the last third: at a sixth it must have failed for long."""
    issued = AgentCertificate
    owner = issued.node_id if agents is Node else issued.host_id
    ends = agents.certificate_expires_at
    state = case(
        (ends <= func.now(), "expired"),
        (ends - (ends - issued.issued_at) / 6 <= func.now(), "overdue"),
        else_="good",
    )
    newest = and_(owner == agents.id, issued.expires_at == ends)
    query = select(state, func.count(agents.id.distinct())).select_from(agents)
    return query.outerjoin(issued, newest).where(ends.is_not(None)).group_by(state)


def _free() -> Select[str, Any]:
    """Those first that are nearest to being exhausted."""
    free = func.coalesce(func.sum(FreeExtent.hi - FreeExtent.lo + 1), 0)
    bits = case((func.family(AddressPool.prefix) == 4, 32), else_=128)
    size = func.power(literal(2.0), bits - func.masklen(AddressPool.prefix))
    ratio = cast(free, Float) / cast(size, Float)
    query = select(AddressPool.name, ratio).outerjoin(
        FreeExtent, FreeExtent.space_id == AddressPool.id
    )
    return query.group_by(AddressPool.id).order_by(ratio).limit(MOST_SHOWN)
