"""Figures for Prometheus: requests, how far the feed and its readers are, the fleet.

Bounded: a label names a route, a cluster, a node, an address pool or a kind of agent, never an address, a
tenant or a VIP, and of the nodes that lag only the MAX_LAGGING furthest behind.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)
from sqlalchemy import Float, Select, and_, cast, func, literal_column, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import NodeAdminState
from lbaas.persistence.database import Database
from lbaas.persistence.models import BackendHost, Change, Cluster, Node
from lbaas.services import orders
from lbaas.services.fleet_metrics import Fleet
from lbaas.services.reports import STALE_AFTER
from lbaas.services.request_metrics import Requests
from lbaas.wire.report import HELD_BACK

MEDIA_TYPE = CONTENT_TYPE_LATEST
MAX_LAGGING = 100

# Sessions of other roles show no xact_start to us, unless we may read all statistics. A prepared transaction has none.
_HORIZON = text(
    "SELECT coalesce(extract(epoch FROM max(clock_timestamp() - begun)), 0)::float8 FROM ("
    "SELECT xact_start AS begun FROM pg_stat_activity WHERE backend_xid IS NOT NULL "
    "UNION ALL SELECT prepared FROM pg_prepared_xacts) AS holding"
)


class Metrics:
    """This process's registry; :meth:`scrape` asks Postgres for what all processes share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._registry = CollectorRegistry()
        self._horizon_age = self._gauge(
            "lbaas_feed_horizon_age_seconds",
            "Age of the oldest open write transaction: what is younger no agent has seen.",
        )
        self._changes = self._gauge("lbaas_feed_rows", "Rows of the feed, as Postgres estimates.")
        self._unapplied = self._gauge(
            "lbaas_node_unapplied_seconds",
            "Age of the oldest change of its cluster that the node has not applied.",
            "cluster",
            "node",
        )
        self._stale = self._gauge(
            "lbaas_agents_stale", "Agents that have not reported for 90 seconds, or never.", "kind"
        )
        self._held_back = self._gauge(
            "lbaas_agents_held_back",
            "Agents that hold what this database does not know, and wait for an operator's word.",
            "kind",
        )
        self._differing = self._gauge(
            "lbaas_nodes_order_differs",
            "Nodes that hold backends in another order than most of their cluster at one revision.",
            "cluster",
        )
        self._waiting = self._gauge("lbaas_polls_waiting", "Agents' polls that wait here.")
        self._listening = self._gauge("lbaas_notices_listening", "1 while notices are heard.")
        self._notices = Counter(
            "lbaas_notices", "Notices sent and heard.", ["direction"], registry=self._registry
        )
        self._counted = {"sent": 0, "heard": 0}
        self._connections = self._gauge(
            "lbaas_postgres_connections", "Connections of this process's pool.", "state"
        )
        self._ends = self._gauge(
            "lbaas_certificate_expires_timestamp_seconds",
            "When certificates of this process end: its own for TLS, and that of its authority.",
            "of",
        )
        self.requests = Requests(self._registry)
        self._fleet = Fleet(self._registry)

    def set_process(self, *, waiting: int, listening: bool, sent: int, heard: int) -> None:
        """What this process knows of itself."""
        self._waiting.set(waiting)
        self._listening.set(listening)
        for direction, count in (("sent", sent), ("heard", heard)):
            self._notices.labels(direction).inc(count - self._counted[direction])
            self._counted[direction] = count

    def set_certificate(self, of: str, ends: datetime) -> None:
        """The certificate *of* this process, ``server`` or ``authority``, ends then."""
        self._ends.labels(of).set(ends.timestamp())

    async def scrape(self) -> bytes:
        """All figures as they are now, in Prometheus's text format."""
        async with self._database.session() as session:
            self._horizon_age.set(await session.scalar(_HORIZON) or 0)
            self._changes.set(await session.scalar(_estimated_rows()) or 0)
            for kind, agents in (("node", Node), ("host", BackendHost)):
                self._stale.labels(kind).set(await _count_stale(session, agents))
                self._held_back.labels(kind).set(await _count_held_back(session, agents))
            lagging = await _lagging(session)
            differing = await _differing(session)
            await self._fleet.look(session)
        for state, count in self._database.connections().items():
            self._connections.labels(state).set(count)
        self._differing.clear()
        for cluster, count in differing.items():
            self._differing.labels(cluster).set(count)
        self._unapplied.clear()
        for cluster, node, seconds in lagging:
            self._unapplied.labels(cluster, node).set(seconds)
        return generate_latest(self._registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self._registry)


def _estimated_rows() -> Select[float]:
    query = select(literal_column("greatest(reltuples, 0)", Float)).select_from(text("pg_class"))
    return query.where(text("oid = 'change'::regclass"))


async def _count_stale(session: AsyncSession, agents: type[Node] | type[BackendHost]) -> int:
    silent = or_(agents.reported_at.is_(None), agents.reported_at < datetime.now(UTC) - STALE_AFTER)
    query = select(func.count()).select_from(agents).where(silent)
    if agents is Node:
        query = query.where(Node.admin_state != NodeAdminState.MAINTENANCE)
    return await session.scalar(query) or 0


async def _count_held_back(session: AsyncSession, agents: type[Node] | type[BackendHost]) -> int:
    held_back = agents.failures.contains([{"subsystem": HELD_BACK}])
    return await session.scalar(select(func.count()).select_from(agents).where(held_back)) or 0


async def _lagging(session: AsyncSession) -> Sequence[tuple[str, str, float]]:
    """Cluster, node and age in seconds of the oldest change that the node has not applied; oldest first."""
    oldest = (
        select(Change.made_at)
        .where(
            and_(
                Change.cluster_id == Node.cluster_id,
                Change.revision > func.coalesce(Node.applied_revision, 0),
            )
        )
        .order_by(Change.revision)
        .limit(1)
        .lateral()
    )
    age = cast(func.extract("epoch", func.now() - oldest.c.made_at), Float)
    query = (
        select(Cluster.name, Node.name, age)
        .join(Cluster, Cluster.id == Node.cluster_id)
        .join(oldest, true())
        .where(Node.admin_state != NodeAdminState.MAINTENANCE)
        .order_by(age.desc())
        .limit(MAX_LAGGING)
    )
    return [(cluster, node, seconds) for cluster, node, seconds in await session.execute(query)]


async def _differing(session: AsyncSession) -> Mapping[str, int]:
    """By cluster, how many of its nodes."""
    digest = func.coalesce(Node.facts["order_digest"].astext, "")
    revision = func.coalesce(Node.facts["revision"].as_integer(), 0)
    query = select(Cluster.name, Node.id, Node.cluster_id, revision, digest)
    rows = (await session.execute(query.join(Cluster, Cluster.id == Node.cluster_id))).all()
    outvoted = orders.differing(orders.Order(*order) for _, *order in rows)
    counts = dict.fromkeys((name for name, *_ in rows), 0)
    for name, node, *_ in rows:
        counts[name] += node in outvoted
    return counts
