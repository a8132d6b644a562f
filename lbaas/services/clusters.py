"""Clusters, their nodes and their peers: what concerns all VIPs of a cluster at once."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, or_, select

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Scheduler
from lbaas.errors import AddressTaken, Conflict, FieldProblem, InUse, Invalid
from lbaas.persistence import extents, feed
from lbaas.persistence.models import (
    AddressPool,
    Cluster,
    Listener,
    Mark,
    Member,
    Node,
    Peer,
    Pool,
    Vip,
)
from lbaas.services import rules
from lbaas.services.scope import Lock, change, fetch, referred, users
from lbaas.services.work import ALL, Work
from lbaas.wire import operators as wire


async def create(work: Work, body: wire.ClusterCreate) -> Cluster:
    """A new cluster; all fwmarks of its range are free."""
    marks = extents.Span(body.marks.first, body.marks.last)
    cluster = Cluster(
        name=body.name,
        as_number=body.as_number,
        mark_first=marks.first,
        mark_last=marks.last,
        timeouts=body.timeouts.model_dump(),
        removal_guard_percent=body.removal_guard_percent,
        connection_sync=body.connection_sync,
    )
    work.session.add(cluster)
    await work.session.flush()
    await extents.open_space(work.session, cluster.id, [marks])
    await changed(work, cluster.id)
    return cluster


async def patch(work: Work, cluster_id: UUID, body: wire.ClusterPatch) -> Cluster:
    """The cluster is as *body* says. Raises Conflict if a pool forbids its nodes to synchronise connections."""
    cluster = await fetch(work, Cluster, cluster_id, lock=Lock.CHANGE)
    changes = body.changes()
    if body.timeouts is not None:
        changes["timeouts"] = body.timeouts.model_dump()
    if body.connection_sync and not cluster.connection_sync:
        await _one_family_each(work, cluster)
    change(cluster, changes)
    await work.session.flush()
    await changed(work, cluster_id)
    return cluster


async def delete(work: Work, cluster_id: UUID) -> None:
    """The cluster is gone. Raises InUse if it has a node, a peer or an address pool."""
    cluster = await fetch(work, Cluster, cluster_id, lock=Lock.CHANGE)
    inside = [
        row
        for model in (Node, Peer, AddressPool)
        for row in await work.session.scalars(
            select(model).where(model.cluster_id == cluster_id).limit(100)
        )
    ]
    if inside:
        raise InUse(f"cluster {cluster.name} is not empty", extra={"used_by": users(inside)})
    for mark in await work.session.scalars(select(Mark).where(Mark.cluster_id == cluster_id)):
        await work.session.delete(mark)
    await extents.close_space(work.session, cluster_id)
    await work.session.flush()
    await work.session.delete(cluster)


async def changed(work: Work, cluster_id: UUID) -> None:
    """Everything that serves the cluster hears of it."""
    await work.changed("cluster", cluster_id, [cluster_id])


async def create_node(work: Work, body: wire.NodeCreate) -> Node:
    """A new node. Raises Conflict if a pool of the cluster can't be served by one node more."""
    cluster = await referred(work, Cluster, body.cluster_id, "/cluster_id", lock=Lock.CHANGE)
    await _addresses_free(work, cluster.id, body.addresses)
    await _schedulers_allow(work, cluster, await count_nodes(work, cluster.id) + 1)
    node = Node(
        cluster_id=cluster.id,
        name=body.name,
        addresses=list(body.addresses),
        admin_state=body.admin_state,
    )
    work.session.add(node)
    await work.session.flush()
    await changed(work, cluster.id)
    return node


async def patch_node(work: Work, node_id: UUID, body: wire.NodePatch) -> Node:
    """The node is as *body* says."""
    node = await fetch(work, Node, node_id, lock=Lock.CHANGE)
    if body.addresses is not None:
        await _addresses_free(work, node.cluster_id, body.addresses, but=node_id)
    change(node, body.changes())
    await work.session.flush()
    await changed(work, node.cluster_id)
    return node


async def confirm_removal(work: Work, node_id: UUID, body: wire.RemovalConfirmation) -> Node:
    """The node may remove as many services as the cluster's state of that revision, or an older one, says.

    Raises Invalid for a revision that the cluster has not reached: nobody has seen what it would remove.
    """
    node = await fetch(work, Node, node_id, lock=Lock.CHANGE)
    newest = await feed.newest_of_cluster(work.session, node.cluster_id)
    if body.revision > newest:
        detail = f"the cluster is at revision {newest}: confirm what the node reports"
        raise Invalid(detail, problems=[FieldProblem(pointer="/revision", detail=detail)])
    if body.revision > (node.removal_confirmed or 0):
        node.removal_confirmed = body.revision
        await work.session.flush()
        await changed(work, node.cluster_id)
    return node


async def delete_node(work: Work, node_id: UUID) -> None:
    """The node and its tokens are gone, and nobody waits for it."""
    node = await fetch(work, Node, node_id, lock=Lock.CHANGE)
    await work.session.delete(node)
    await changed(work, node.cluster_id)
    await work.revoke(ALL)


async def count_nodes(work: Work, cluster_id: UUID) -> int:
    """How many nodes the cluster has, whatever their admin state: a drained one may come back."""
    query = select(func.count()).select_from(Node).where(Node.cluster_id == cluster_id)
    return await work.session.scalar(query) or 0


async def create_peer(work: Work, body: wire.PeerCreate) -> Peer:
    """A new peer that every node of the cluster announces to."""
    await referred(work, Cluster, body.cluster_id, "/cluster_id", lock=Lock.SHARE)
    peer = Peer(**body.model_dump())
    work.session.add(peer)
    await work.session.flush()
    await changed(work, peer.cluster_id)
    return peer


async def patch_peer(work: Work, peer_id: UUID, body: wire.PeerPatch) -> Peer:
    """The peer is as *body* says."""
    peer = await fetch(work, Peer, peer_id, lock=Lock.CHANGE)
    change(peer, body.changes())
    await work.session.flush()
    await changed(work, peer.cluster_id)
    return peer


async def delete_peer(work: Work, peer_id: UUID) -> None:
    """The peer is gone."""
    peer = await fetch(work, Peer, peer_id, lock=Lock.CHANGE)
    await work.session.delete(peer)
    await changed(work, peer.cluster_id)


async def _addresses_free(
    work: Work, cluster_id: UUID, addresses: Sequence[Address], but: UUID | None = None
) -> None:
    query = select(Node).where(
        Node.cluster_id == cluster_id, Node.addresses.overlap(list(addresses)), Node.id != but
    )
    if other := (await work.session.scalars(query)).first():
        raise AddressTaken(
            f"node {other.name} of the cluster has one of the addresses",
            extra={"used_by": users([other])},
        )


async def _schedulers_allow(work: Work, cluster: Cluster, nodes: int) -> None:
    alike = [word for word in Scheduler if word.same_on_every_node]
    doubtful = or_(Pool.scheduler.not_in(alike), Pool.persistence_s.is_not(None))
    pools = await work.session.scalars(_pools_in(cluster).where(doubtful))
    found = [(pool, no) for pool in pools if (no := rules.unlike_nodes(pool, nodes))]
    if found:
        pool, no = found[0]
        raise Conflict(
            f"pool {pool.name} forbids another node: {no.reason}",
            extra={"used_by": users([pool for pool, _ in found[:100]])},
        )


async def _one_family_each(work: Work, cluster: Cluster) -> None:
    """No listener of one VIP has a member of the other family. Raises Conflict."""
    member = select(Member.id).where(
        Member.pool_id == Pool.id, func.family(Member.address) != func.family(Vip.address)
    )
    query = _pools_in(cluster).where(Listener.dual_vip_id.is_(None), member.exists())
    if pools := list(await work.session.scalars(query.limit(100))):
        raise Conflict(
            f"pool {pools[0].name} sends packets of one family to members of the other, and the kernel "
            "synchronises connections within one family only",
            extra={"used_by": users(pools)},
        )


def _pools_in(cluster: Cluster) -> Select[Pool]:
    """The pools that listeners of the cluster use, each once."""
    query = select(Pool).join(Listener, Listener.pool_id == Pool.id)
    query = query.join(Vip, Vip.id == Listener.vip_id).where(Vip.cluster_id == cluster.id)
    return query.distinct(Pool.id).order_by(Pool.id)
