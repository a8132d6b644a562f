"""Rows of one instant as the compiler's records. Call within one REPEATABLE READ transaction."""

import json
from collections import defaultdict
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY

from lbaas.compiler.snapshot import (
    ClusterRow,
    NodeRow,
    PeerRow,
    Touched,
)
from lbaas.domain.addresses import Address
from lbaas.domain.terms import NodeAdminState
from lbaas.persistence import feed
from lbaas.persistence.models import Cluster, Listener, Member, Node, Peer, Vip
from lbaas.persistence.prepared import Prepared
from lbaas.persistence.served import SERVES, load_vips

_CLUSTER = Prepared(
    select(
        Cluster.as_number,
        Cluster.mark_first,
        Cluster.mark_last,
        cast(Cluster.timeouts, Text),
        Cluster.removal_guard_percent,
        Cluster.connection_sync,
    ).where(Cluster.id == bindparam("cluster"))
)
_NODES = Prepared(
    select(Node.id, Node.name, Node.admin_state, Node.removal_confirmed, Node.addresses).where(
        Node.cluster_id == bindparam("cluster")
    )
)
_PEERS = Prepared(
    select(
        Peer.name,
        Peer.address,
        Peer.as_number,
        Peer.password,
        Peer.bfd,
        Peer.multihop,
        Peer.graceful_restart,
    ).where(Peer.cluster_id == bindparam("cluster"))
)


async def load_cluster(driver: asyncpg.Connection, cluster: UUID) -> ClusterRow | None:
    """The cluster, its nodes and peers; None if there is no such cluster."""
    found = await _CLUSTER.rows(driver, cluster=cluster)
    if not found:
        return None
    [settings] = map(dict, found)
    nodes = map(dict, await _NODES.rows(driver, cluster=cluster))
    peers = map(dict, await _PEERS.rows(driver, cluster=cluster))
    return ClusterRow(
        **settings | {"timeouts": json.loads(settings["timeouts"])},
        id=cluster,
        nodes=tuple(_node(**node) for node in nodes),
        peers=tuple(PeerRow(**peer) for peer in peers),
    )


def _node(admin_state: str, addresses: list[Address], **settings: Any) -> NodeRow:
    return NodeRow(admin_state=NodeAdminState(admin_state), addresses=tuple(addresses), **settings)


async def load_touched(
    driver: asyncpg.Connection, cluster: UUID, changed: feed.ByKind
) -> Touched | None:
    """What the objects *changed* touched in the cluster; None if the cluster is gone."""
    row = await load_cluster(driver, cluster) if "cluster" in changed else None
    if "cluster" in changed and row is None:
        return None
    named, pools = changed.get("vip", ()), changed.get("pool", ())
    vips = await load_vips(driver, cluster, named, pools) if named or pools else ()
    return Touched(cluster=row, named=named, vips=vips)


async def vips_of_pools(
    driver: asyncpg.Connection, cluster: UUID, pools: Collection[UUID]
) -> dict[UUID, set[UUID]]:
    """By pool, the VIPs of the cluster that have a listener which uses it."""
    users: dict[UUID, set[UUID]] = defaultdict(set)
    for pool, vip in await _USERS.rows(driver, cluster=cluster, pools=list(pools)):
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


_USERS = Prepared(
    select(Listener.pool_id, Vip.id)
    .join(Vip, SERVES)
    .where(
        Vip.cluster_id == bindparam("cluster"),
        Listener.pool_id == any_(bindparam("pools", type_=ARRAY(Uuid()))),
    )
)
_MEMBER_ADDRESSES = Prepared(_addresses_of_members())
