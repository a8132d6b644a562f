"""Rows of one instant as the compiler's records. Call within one REPEATABLE READ transaction."""

from collections import defaultdict
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BindParameter,
    Select,
    Uuid,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.compiler.snapshot import (
    ClusterRow,
    NodeRow,
    PeerRow,
    Touched,
)
from lbaas.domain.addresses import Address
from lbaas.persistence import feed
from lbaas.persistence.database import Snapshot
from lbaas.persistence.models import Cluster, Listener, Member, Node, Peer, Vip
from lbaas.persistence.prepared import Prepared
from lbaas.persistence.served import SERVES, load_vips


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
        timeouts=row.timeouts,
        removal_guard_percent=row.removal_guard_percent,
        connection_sync=row.connection_sync,
    )


async def load_touched(at: Snapshot, cluster: UUID, changed: feed.ByKind) -> Touched | None:
    """What the objects *changed* touched in the cluster; None if the cluster is gone."""
    row = await load_cluster(at.session, cluster) if "cluster" in changed else None
    if "cluster" in changed and row is None:
        return None
    named, pools = changed.get("vip", ()), changed.get("pool", ())
    vips = await load_vips(at.driver, cluster, named, pools) if named or pools else ()
    return Touched(cluster=row, vip_ids=frozenset((*named, *(vip.id for vip in vips))), vips=vips)


async def vips_of_pools(
    session: AsyncSession, cluster: UUID, pools: Collection[UUID]
) -> dict[UUID, set[UUID]]:
    """By pool, the VIPs of the cluster that have a listener which uses it."""
    users: dict[UUID, set[UUID]] = defaultdict(set)
    if pools:
        query = select(Listener.pool_id, Vip.id).join(Vip, SERVES)
        query = query.where(Vip.cluster_id == cluster, Listener.pool_id == any_(_array(pools)))
        for pool, vip in await session.execute(query):
            users[pool].add(vip)
    return users


async def member_addresses(
    driver: asyncpg.Connection, objects: Collection[UUID]
) -> frozenset[Address]:
    """Of the members of all pools that are among *objects*, or that a VIP among them uses."""
    found = await _MEMBER_ADDRESSES.rows(driver, objects=list(objects))
    return frozenset(ip_address(address) for (address,) in found)


def _addresses_of_members() -> Select[Any]:
    objects = bindparam("objects", type_=ARRAY(Uuid()))
    serves = or_(Listener.vip_id == any_(objects), Listener.dual_vip_id == any_(objects))
    pools = union(select(func.unnest(objects)), select(Listener.pool_id).where(serves))
    return select(func.host(Member.address)).where(Member.pool_id.in_(pools)).distinct()


_MEMBER_ADDRESSES = Prepared(_addresses_of_members())


async def _nodes(session: AsyncSession, cluster: UUID) -> tuple[NodeRow, ...]:
    columns = Node.id, Node.name, Node.admin_state, Node.removal_confirmed
    query = select(*columns).where(Node.cluster_id == cluster)
    return tuple(NodeRow(**row) for row in (await session.execute(query)).mappings())


async def _peers(session: AsyncSession, cluster: UUID) -> tuple[PeerRow, ...]:
    return tuple(
        PeerRow(
            name=peer.name,
            address=peer.address,
            as_number=peer.as_number,
            password=peer.password,
            bfd=peer.bfd,
            multihop=peer.multihop,
            graceful_restart=peer.graceful_restart,
        )
        for peer in await session.scalars(select(Peer).where(Peer.cluster_id == cluster))
    )


def _array(ids: Collection[UUID]) -> BindParameter[list[UUID]]:
    """One parameter however many: a list of parameters would end at 32,767."""
    return literal(list(ids), ARRAY(Uuid()))
