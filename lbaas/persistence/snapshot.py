"""Rows of one instant as the compiler's records. Call within one REPEATABLE READ transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Text, Uuid, any_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.compiler.snapshot import (
    ClusterRow,
    HostRow,
    ListenerRow,
    MemberRow,
    NodeRow,
    PeerRow,
    PoolRow,
    Touched,
    VipRow,
)
from lbaas.domain.addresses import Address
from lbaas.domain.terms import MemberAdminState, TenantAdminState
from lbaas.persistence import feed
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


async def load_cluster(session: AsyncSession, cluster: UUID) -> ClusterRow | None:
    """The cluster, its nodes and peers; None if there is no such cluster."""
    row = await session.get(Cluster, cluster)
    if row is None:
        return None
    return ClusterRow(
        id=cluster,
        as_number=row.as_number,
        mark_first=row.mark_first,
        mark_last=row.mark_last,
        nodes=await _nodes(session, cluster),
        peers=await _peers(session, cluster),
    )


def served() -> ColumnElement[bool]:
    """The VIP's tenant is not suspended: what is, is kept, and neither announced nor served."""
    suspended = select(Tenant.id).where(Tenant.admin_state == TenantAdminState.SUSPENDED)
    return Vip.tenant_id.not_in(suspended)


async def load_vips(
    session: AsyncSession, cluster: UUID, vips: Collection[UUID] | None = None
) -> tuple[VipRow, ...]:
    """The cluster's VIPs, those named by *vips* if it is given."""
    chosen = select(Vip.id, func.host(Vip.address).label("address")).where(
        Vip.cluster_id == cluster, served()
    )
    if vips is not None:
        chosen = chosen.where(Vip.id == any_(_array(vips)))
    found = (await session.execute(chosen)).all()
    listeners = await _listeners(session, cluster, vips)
    return tuple(
        VipRow(id=row.id, address=row.address, listeners=tuple(listeners.get(row.id, ())))
        for row in found
    )


async def load_touched(
    session: AsyncSession, cluster: UUID, changes: Iterable[feed.Noted]
) -> Touched | None:
    """What *changes* touched in the cluster; None if the cluster is gone."""
    by_kind: dict[str, set[UUID]] = defaultdict(set)
    for change in changes:
        by_kind[change.kind].add(change.object_id)
    row = await load_cluster(session, cluster) if by_kind["cluster"] else None
    if by_kind["cluster"] and row is None:
        return None
    users = await vips_of_pools(session, cluster, by_kind["pool"])
    vips = by_kind["vip"].union(*users.values())
    return Touched(
        cluster=row,
        vip_ids=frozenset(vips),
        vips=await load_vips(session, cluster, vips) if vips else (),
    )


async def vips_of_pools(
    session: AsyncSession, cluster: UUID, pools: Collection[UUID]
) -> dict[UUID, set[UUID]]:
    """By pool, the VIPs of the cluster that have a listener which uses it."""
    users: dict[UUID, set[UUID]] = defaultdict(set)
    if pools:
        query = select(Listener.pool_id, Listener.vip_id).join(Vip, Vip.id == Listener.vip_id)
        query = query.where(Vip.cluster_id == cluster, Listener.pool_id == any_(_array(pools)))
        for pool, vip in await session.execute(query):
            users[pool].add(vip)
    return users


async def load_host(session: AsyncSession, host: UUID) -> HostRow | None:
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
    return HostRow(
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


async def _listeners(
    session: AsyncSession, cluster: UUID, vips: Collection[UUID] | None
) -> dict[UUID, list[ListenerRow]]:
    query = (
        select(Listener.vip_id, Listener.protocol, Listener.ports, Listener.pool_id, Mark.mark)
        .join(Vip, Vip.id == Listener.vip_id)
        .join(Mark, Mark.listener_id == Listener.id)
        .where(Vip.cluster_id == cluster, served())
    )
    if vips is not None:
        query = query.where(Listener.vip_id == any_(_array(vips)))
    rows = (await session.execute(query)).all()
    pools = await _pools(session, {row.pool_id for row in rows})
    found: dict[UUID, list[ListenerRow]] = defaultdict(list)
    for row in rows:
        found[row.vip_id].append(
            ListenerRow(
                protocol=row.protocol,
                ports=tuple((span["first"], span["last"]) for span in row.ports),
                mark=row.mark,
                pool=pools[row.pool_id],
            )
        )
    return found


async def _pools(session: AsyncSession, pools: Collection[UUID]) -> dict[UUID, PoolRow]:
    members = await _members(session, pools)
    query = select(Pool.id, Pool.scheduler, Pool.forwarding).where(Pool.id == any_(_array(pools)))
    return {
        row.id: PoolRow(
            scheduler=row.scheduler, forwarding=row.forwarding, members=members.get(row.id, ())
        )
        for row in await session.execute(query)
    }


async def _members(
    session: AsyncSession, pools: Collection[UUID]
) -> dict[UUID, tuple[MemberRow, ...]]:
    """One row a pool with a column of each field: a tenth of the time that a row a member takes."""
    query = select(
        Member.pool_id,
        func.array_agg(Member.id),
        func.array_agg(func.host(Member.address)),
        func.array_agg(Member.weight),
        func.array_agg(cast(Member.admin_state, Text)),
    )
    grouped = query.where(Member.pool_id == any_(_array(pools))).group_by(Member.pool_id)
    return {
        pool: tuple(map(MemberRow, ids, addresses, weights, map(MemberAdminState, states)))
        for pool, ids, addresses, weights, states in await session.execute(grouped)
    }


def _array(ids: Collection[UUID]) -> BindParameter[list[UUID]]:
    """One parameter however many: a list of parameters would end at 32,767."""
    return literal(list(ids), ARRAY(Uuid()))
