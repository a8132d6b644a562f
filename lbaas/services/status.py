"""How far a VIP's newest change has come: on each node of its cluster, on each host of its members."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.addresses import Address, address_key
from lbaas.domain.terms import NodeAdminState
from lbaas.persistence import feed
from lbaas.persistence.database import Database
from lbaas.persistence.models import BackendHost, Listener, Mark, Member, Node, Reporting, Vip
from lbaas.services import findings, orders
from lbaas.services.bells import Bells
from lbaas.services.orders import Order
from lbaas.services.reports import stale
from lbaas.services.scope import fetch
from lbaas.services.work import CHANGE, HOSTS, REPORT, Caller, Work
from lbaas.wire import status as wire
from lbaas.wire.report import Dropped, Failure, NodeFacts, Unhealthy


async def wait(
    database: Database, bells: Bells, caller: Caller, vip_id: UUID, until: float
) -> wire.VipStatus:
    """The VIP's status as soon as it is programmed, or as it is at the loop's time *until*.

    No connection is held meanwhile: the waiter looks when an agent has reported.
    """
    async with database.session() as session:
        vip = await fetch(Work(session, caller), Vip, vip_id)
    cluster = str(vip.cluster_id)
    with bells.listen((REPORT, cluster), (CHANGE, cluster), (REPORT, HOSTS)) as bell:
        while True:
            async with database.session() as session:
                status = await read(Work(session, caller), vip_id)
            if status.programmed or not await bell.wait(until):
                return status


async def read(work: Work, vip_id: UUID) -> wire.VipStatus:
    """The VIP's status at this moment.

    Programmed: every active node, of which there is at least one, and every backend host that a member
    of the VIP is on, has applied the VIP's newest change without a failure.
    """
    vip = await fetch(work, Vip, vip_id)
    revision = await feed.vip_revision(work.session, vip_id)
    rows = await _nodes(work.session, vip.cluster_id)
    marked = await _marked(work.session, vip)
    found = await findings.of_marks(work.session, [node.id for node in rows], marked)
    differing = orders.differing(map(order_of, rows))
    nodes = [
        _node(
            node,
            revision,
            unhealthy=_unhealthy(vip, found.unhealthy.get(node.id, ()), marked),
            order_differs=node.id in differing,
            seen=_seen(node, vip.address),
        )
        for node in rows
    ]
    members = await _members(work.session, vip_id)
    hosts = [_host(host, revision, members) for host in await _hosts(work.session, members)]
    active = [node for node in nodes if node.admin_state is NodeAdminState.ACTIVE]
    return wire.VipStatus(
        vip_id=vip_id,
        revision=revision,
        programmed=bool(active)
        and all(node.programmed for node in active)
        and all(host.programmed for host in hosts),
        nodes=nodes,
        hosts=hosts,
        dropped=_dropped(found.dropped.values(), marked),
    )


def programmed(agent: Reporting, revision: int) -> bool:
    """The agent's last report says that it has applied *revision* and that nothing failed."""
    applied = agent.applied_revision is not None and agent.applied_revision >= revision
    return applied and not agent.failures


def order_of(node: Node) -> Order:
    """The node's order of backends, as it last reported it."""
    facts = node.facts or {}
    return Order(node.id, node.cluster_id, facts.get("revision", 0), facts.get("order_digest", ""))


async def _marked(session: AsyncSession, vip: Vip) -> dict[int, Listener]:
    """The VIP's listeners by fwmark."""
    query = select(Mark.mark, Listener).join(Listener, Listener.id == Mark.listener_id)
    serving = or_(Listener.vip_id == vip.id, Listener.dual_vip_id == vip.id)
    rows = (await session.execute(query.where(serving))).tuples()
    return dict(rows.all())


def _unhealthy(
    vip: Vip, found: Iterable[Unhealthy], marked: Mapping[int, Listener]
) -> list[wire.UnhealthyMember]:
    """Of a listener that serves two VIPs, the members of this one's family."""
    return [
        wire.UnhealthyMember(
            listener_id=listener.id,
            pool_id=listener.pool_id,
            address=each.address,
            since=datetime.fromtimestamp(each.since, UTC),
            cause=each.cause,
        )
        for each in found
        if (listener := marked[each.mark]).dual_vip_id is None
        or each.address.version == vip.address.version
    ]


def _dropped(
    found: Iterable[Iterable[Dropped]], marked: Mapping[int, Listener]
) -> list[wire.DroppedPackets]:
    by_mark: dict[int, list[Dropped]] = defaultdict(list)
    for of_node in found:
        for each in of_node:
            by_mark[each.mark].append(each)
    return [
        wire.DroppedPackets(
            listener_id=listener.id,
            source=sum(each.source for each in by_mark[mark]),
            rate=sum(each.rate for each in by_mark[mark]),
            malformed=sum(each.malformed for each in by_mark[mark]),
        )
        for mark, listener in sorted(marked.items())
    ]


async def _nodes(session: AsyncSession, cluster_id: UUID) -> list[Node]:
    query = select(Node).where(Node.cluster_id == cluster_id).order_by(Node.name)
    return list(await session.scalars(query))


async def _members(session: AsyncSession, vip_id: UUID) -> frozenset[Address]:
    query = (
        select(Member.address)
        .join(Listener, Listener.pool_id == Member.pool_id)
        .where(or_(Listener.vip_id == vip_id, Listener.dual_vip_id == vip_id))
    )
    return frozenset(await session.scalars(query))


async def _hosts(session: AsyncSession, members: Collection[Address]) -> list[BackendHost]:
    query = select(BackendHost).where(BackendHost.addresses.overlap(list(members)))
    return list(await session.scalars(query.order_by(BackendHost.name)))


def _seen(node: Node, vip: Address) -> dict[str, Any]:
    """What the node's last audit saw of the VIP."""
    facts = NodeFacts.model_validate(node.facts or {})
    return {
        "unheard_by": [each.peer for each in facts.unheard if each.of(vip)],
        "silent": [
            wire.SilentMember(port=each.port, address=each.member)
            for each in facts.silent
            if each.vip == vip
        ],
    }


def _node(
    node: Node,
    revision: int,
    *,
    unhealthy: list[wire.UnhealthyMember],
    order_differs: bool,
    seen: dict[str, Any],
) -> wire.NodeStatus:
    return wire.NodeStatus(
        node_id=node.id,
        name=node.name,
        admin_state=node.admin_state,
        applied_revision=node.applied_revision,
        programmed=programmed(node, revision),
        stale=stale(node, datetime.now(UTC)),
        reported_at=node.reported_at,
        certificate_expires_at=node.certificate_expires_at,
        failures=[Failure.model_validate(failure) for failure in node.failures],
        unhealthy=unhealthy,
        order_differs=order_differs,
        **seen,
    )


def _host(host: BackendHost, revision: int, members: Collection[Address]) -> wire.HostStatus:
    return wire.HostStatus(
        host_id=host.id,
        name=host.name,
        addresses=sorted(set(host.addresses).intersection(members), key=address_key),
        applied_revision=host.applied_revision,
        programmed=programmed(host, revision),
        stale=stale(host, datetime.now(UTC)),
        certificate_expires_at=host.certificate_expires_at,
    )
