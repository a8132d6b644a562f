"""Rows of one instant as the compiler's records. Call within one REPEATABLE READ transaction."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.compiler.snapshot import (
    ClusterSnapshot,
    HostSnapshot,
    ListenerRow,
    MemberRow,
    NodeRow,
    PeerRow,
    PoolRow,
)
from lbaas.domain.addresses import Address
from lbaas.domain.terms import TenantAdminState
from lbaas.persistence.models import (
    BackendHost,
    Cluster,
    Listener,
    Mark,
    Member,
    Node,
    Peer,
    Pool,
    Tenant,
    Vip,
)


async def load_cluster(session: AsyncSession, cluster: UUID) -> ClusterSnapshot | None:
    """All that concerns the cluster; None if there is no such cluster."""
    row = await session.get(Cluster, cluster)
    if row is None:
        return None
    vips = await session.scalars(select(Vip.address).where(Vip.cluster_id == cluster, served()))
    return ClusterSnapshot(
        id=cluster,
        as_number=row.as_number,
        mark_first=row.mark_first,
        mark_last=row.mark_last,
        nodes=await _nodes(session, cluster),
        peers=await _peers(session, cluster),
        vips=tuple(vips),
        listeners=await _listeners(session, cluster),
        pools=await _pools(session, cluster),
    )


def served() -> ColumnElement[bool]:
    """The VIP's tenant is not suspended: what is, is kept, and neither announced nor served."""
    suspended = select(Tenant.id).where(Tenant.admin_state == TenantAdminState.SUSPENDED)
    return Vip.tenant_id.not_in(suspended)


async def load_host(session: AsyncSession, host: UUID) -> HostSnapshot | None:
    """All that concerns the backend host; None if there is no such host."""
    row = await session.get(BackendHost, host)
    if row is None:
        return None
    vips = (
        await session.execute(
            select(Vip.address, Vip.cluster_id)
            .join(Listener, Listener.vip_id == Vip.id)
            .join(Member, Member.pool_id == Listener.pool_id)
            .where(Member.address.in_(row.addresses), served())
            .distinct()
        )
    ).all()
    return HostSnapshot(
        id=host,
        addresses=tuple(row.addresses),
        vips=tuple(address for address, _ in vips),
        nodes=await _node_addresses(session, {cluster for _, cluster in vips}),
    )


async def _node_addresses(session: AsyncSession, clusters: Iterable[UUID]) -> tuple[Address, ...]:
    query = select(func.unnest(Node.addresses)).where(Node.cluster_id.in_(clusters))
    return tuple(await session.scalars(query))


async def _nodes(session: AsyncSession, cluster: UUID) -> tuple[NodeRow, ...]:
    query = select(Node.id, Node.name, Node.admin_state).where(Node.cluster_id == cluster)
    return tuple(
        NodeRow(id=row.id, name=row.name, admin_state=row.admin_state)
        for row in await session.execute(query)
    )


async def _peers(session: AsyncSession, cluster: UUID) -> tuple[PeerRow, ...]:
    return tuple(
        PeerRow(
            name=peer.name,
            address=peer.address,
            as_number=peer.as_number,
            password=peer.password,
            bfd=peer.bfd,
            multihop=peer.multihop,
        )
        for peer in await session.scalars(select(Peer).where(Peer.cluster_id == cluster))
    )


async def _listeners(session: AsyncSession, cluster: UUID) -> tuple[ListenerRow, ...]:
    query = (
        select(Vip.address, Listener.protocol, Listener.ports, Listener.pool_id, Mark.mark)
        .join(Listener, Listener.vip_id == Vip.id)
        .join(Mark, Mark.listener_id == Listener.id)
        .where(Vip.cluster_id == cluster, served())
    )
    return tuple(
        ListenerRow(
            vip=row.address,
            protocol=row.protocol,
            ports=tuple((span["first"], span["last"]) for span in row.ports),
            mark=row.mark,
            pool_id=row.pool_id,
        )
        for row in await session.execute(query)
    )


async def _pools(session: AsyncSession, cluster: UUID) -> dict[UUID, PoolRow]:
    used = select(Listener.pool_id).join(Vip, Vip.id == Listener.vip_id)
    used = used.where(Vip.cluster_id == cluster)
    members = await _members(session, used.scalar_subquery())
    pools = await session.execute(
        select(Pool.id, Pool.scheduler, Pool.forwarding).where(Pool.id.in_(used.scalar_subquery()))
    )
    return {
        pool.id: PoolRow(
            scheduler=pool.scheduler, forwarding=pool.forwarding, members=tuple(members[pool.id])
        )
        for pool in pools
    }


async def _members(session: AsyncSession, pools: ScalarSelect[UUID]) -> dict[UUID, list[MemberRow]]:
    query = select(Member.pool_id, Member.id, Member.address, Member.weight, Member.admin_state)
    found: dict[UUID, list[MemberRow]] = defaultdict(list)
    for row in await session.execute(query.where(Member.pool_id.in_(pools))):
        found[row.pool_id].append(
            MemberRow(
                id=row.id, address=row.address, weight=row.weight, admin_state=row.admin_state
            )
        )
    return found
