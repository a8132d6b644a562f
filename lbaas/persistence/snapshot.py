"""Rows of one instant as the compiler's records. Call within one REPEATABLE READ transaction."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    literal,
    select,
    true,
    union,
)
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
from lbaas.domain.terms import (
    TenantAdminState,
)
from lbaas.persistence import feed
from lbaas.persistence.database import Snapshot
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
from lbaas.persistence.prepared import Prepared


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


async def vips_of_cluster(driver: asyncpg.Connection, cluster: UUID) -> Sequence[UUID]:
    """The ids of all VIPs of the cluster, those that are not served included."""
    return [vip for (vip,) in await _VIP_IDS.rows(driver, cluster=cluster)]


async def load_vips(
    driver: asyncpg.Connection,
    cluster: UUID,
    vips: Collection[UUID],
    pools: Collection[UUID] = (),
) -> tuple[VipRow, ...]:
    """Of the cluster's VIPs *vips* and those that use one of *pools*, with all that hangs on them."""
    addresses: dict[UUID, str] = {}
    listeners: dict[UUID, list[ListenerRow]] = defaultdict(list)
    for vip, address, mark, *rest in await _VIPS.rows(
        driver, cluster=cluster, vips=list(vips), pools=list(pools)
    ):
        addresses[vip] = address
        if mark is not None:
            listeners[vip].append(_listener(mark, *rest))
    return tuple(
        VipRow(id=vip, address=address, listeners=tuple(listeners.get(vip, ())))
        for vip, address in addresses.items()
    )


async def load_touched(
    at: Snapshot, cluster: UUID, changes: Iterable[feed.Noted]
) -> Touched | None:
    """What *changes* touched in the cluster; None if the cluster is gone."""
    by_kind: dict[str, set[UUID]] = defaultdict(set)
    for change in changes:
        by_kind[change.kind].add(change.object_id)
    row = await load_cluster(at.session, cluster) if by_kind["cluster"] else None
    if by_kind["cluster"] and row is None:
        return None
    named = by_kind["vip"]
    vips: tuple[VipRow, ...] = ()
    if named or by_kind["pool"]:
        vips = await load_vips(at.driver, cluster, named, by_kind["pool"])
    return Touched(cluster=row, vip_ids=frozenset(named.union(vip.id for vip in vips)), vips=vips)


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


def _vips_of_cluster() -> Select[Any]:
    """One row a listener, its pool's members as a column of each field; one for a VIP that has none.

    One query, because each costs more than what it finds; columns, because rows would cost ten times as much.
    """
    members = (
        select(
            func.array_agg(Member.id).label("ids"),
            func.array_agg(func.host(Member.address)).label("addresses"),
            func.array_agg(Member.weight).label("weights"),
            func.array_agg(cast(Member.admin_state, Text)).label("states"),
        )
        .where(Member.pool_id == Listener.pool_id)
        .lateral()
    )
    return (
        select(
            Vip.id,
            func.host(Vip.address),
            Mark.mark,
            Listener.protocol,
            cast(Listener.ports, Text),
            Pool.scheduler,
            Pool.forwarding,
            *members.c,
        )
        .select_from(Vip)
        .outerjoin(Listener, Listener.vip_id == Vip.id)
        .outerjoin(Mark, Mark.listener_id == Listener.id)
        .outerjoin(Pool, Pool.id == Listener.pool_id)
        .outerjoin(members, true())
        .where(Vip.cluster_id == bindparam("cluster", type_=Uuid()), served())
    )


def _chosen() -> CompoundSelect[Any]:
    vips, pools = (bindparam(name, type_=ARRAY(Uuid())) for name in ("vips", "pools"))
    using = select(Listener.vip_id).where(Listener.pool_id == any_(pools))
    return union(select(func.unnest(vips)), using)


_VIPS = Prepared(_vips_of_cluster().where(Vip.id.in_(_chosen())))
_VIP_IDS = Prepared(select(Vip.id).where(Vip.cluster_id == bindparam("cluster", type_=Uuid())))

# A named tuple from a tuple, without its constructor's own frame: there are more of these than of all else.
_member = partial(tuple.__new__, MemberRow)


def _listener(
    mark: int,
    protocol: str,
    ports: str,
    scheduler: str,
    forwarding: str,
    *columns: Sequence[Any] | None,
) -> ListenerRow:
    members = tuple(map(_member, zip(*(column or () for column in columns), strict=True)))
    return ListenerRow(
        protocol=protocol,
        ports=_spans(ports),
        mark=mark,
        pool=PoolRow(scheduler=scheduler, forwarding=forwarding, members=members),
    )


@lru_cache(maxsize=1024)
def _spans(ports: str) -> tuple[tuple[int, int], ...]:
    """Thousands of listeners have the same few ports."""
    return tuple((span["first"], span["last"]) for span in json.loads(ports))


def _array(ids: Collection[UUID]) -> BindParameter[list[UUID]]:
    """One parameter however many: a list of parameters would end at 32,767."""
    return literal(list(ids), ARRAY(Uuid()))
