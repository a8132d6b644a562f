"""Clusters, their nodes and peers."""

from uuid import UUID

from fastapi import APIRouter, Response

from lbaas.api.dependencies import (
    AddressFilter,
    Listed,
    NameFilter,
    OperatorChanges,
    OperatorCreates,
    OperatorReads,
)
from lbaas.api.route import Route, as_json
from lbaas.api.routers import CHANGES, CREATES, DELETES, READS
from lbaas.domain.terms import NodeAdminState
from lbaas.services import clusters, reading
from lbaas.wire import operators as wire
from lbaas.wire.fields import Page

router = APIRouter(tags=["operator"], route_class=Route)


@router.post("/clusters", status_code=201, summary="Add a cluster", responses=CREATES)
async def create_cluster(work: OperatorCreates, body: wire.ClusterCreate) -> wire.Cluster:
    return reading.shown(work, wire.Cluster, await clusters.create(work, body))


@router.get(
    "/clusters", summary="List clusters", responses=READS, response_model=Page[wire.Cluster]
)
async def list_clusters(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
) -> Response:
    return as_json(await reading.some(work, wire.Cluster, window, name=name))


@router.get(
    "/clusters/{cluster_id}", summary="Show a cluster", responses=READS, response_model=wire.Cluster
)
async def get_cluster(work: OperatorReads, cluster_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Cluster, cluster_id))


@router.patch("/clusters/{cluster_id}", summary="Change a cluster", responses=CHANGES)
async def patch_cluster(
    work: OperatorChanges, cluster_id: UUID, body: wire.ClusterPatch
) -> wire.Cluster:
    return reading.shown(work, wire.Cluster, await clusters.patch(work, cluster_id, body))


@router.delete(
    "/clusters/{cluster_id}", status_code=204, summary="Remove a cluster", responses=DELETES
)
async def delete_cluster(work: OperatorChanges, cluster_id: UUID) -> None:
    await clusters.delete(work, cluster_id)


@router.post("/nodes", status_code=201, summary="Add a node", responses=CREATES)
async def create_node(work: OperatorCreates, body: wire.NodeCreate) -> wire.Node:
    return reading.shown(work, wire.Node, await clusters.create_node(work, body))


@router.get("/nodes", summary="List nodes", responses=READS, response_model=Page[wire.Node])
async def list_nodes(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
    cluster_id: UUID | None = None,
    address: AddressFilter = None,
    admin_state: NodeAdminState | None = None,
) -> Response:
    return as_json(
        await reading.some(
            work,
            wire.Node,
            window,
            name=name,
            cluster_id=cluster_id,
            address=address,
            admin_state=admin_state,
        )
    )


@router.get("/nodes/{node_id}", summary="Show a node", responses=READS, response_model=wire.Node)
async def get_node(work: OperatorReads, node_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Node, node_id))


@router.patch("/nodes/{node_id}", summary="Change a node", responses=CHANGES)
async def patch_node(work: OperatorChanges, node_id: UUID, body: wire.NodePatch) -> wire.Node:
    return reading.shown(work, wire.Node, await clusters.patch_node(work, node_id, body))


@router.post(
    "/nodes/{node_id}/confirm-removal",
    summary="Let a node remove many services at once",
    responses=CREATES,
)
async def confirm_removal(
    work: OperatorCreates, node_id: UUID, body: wire.RemovalConfirmation
) -> wire.Node:
    """The node says in facts.held_removal which revision it holds back, and what it would remove."""
    return reading.shown(work, wire.Node, await clusters.confirm_removal(work, node_id, body))


@router.delete("/nodes/{node_id}", status_code=204, summary="Remove a node", responses=DELETES)
async def delete_node(work: OperatorChanges, node_id: UUID) -> None:
    await clusters.delete_node(work, node_id)


@router.post("/peers", status_code=201, summary="Add a peer", responses=CREATES)
async def create_peer(work: OperatorCreates, body: wire.PeerCreate) -> wire.Peer:
    return reading.shown(work, wire.Peer, await clusters.create_peer(work, body))


@router.get("/peers", summary="List peers", responses=READS, response_model=Page[wire.Peer])
async def list_peers(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
    cluster_id: UUID | None = None,
    address: AddressFilter = None,
) -> Response:
    return as_json(
        await reading.some(
            work, wire.Peer, window, name=name, cluster_id=cluster_id, address=address
        )
    )


@router.get("/peers/{peer_id}", summary="Show a peer", responses=READS, response_model=wire.Peer)
async def get_peer(work: OperatorReads, peer_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Peer, peer_id))


@router.patch("/peers/{peer_id}", summary="Change a peer", responses=CHANGES)
async def patch_peer(work: OperatorChanges, peer_id: UUID, body: wire.PeerPatch) -> wire.Peer:
    return reading.shown(work, wire.Peer, await clusters.patch_peer(work, peer_id, body))


@router.delete("/peers/{peer_id}", status_code=204, summary="Remove a peer", responses=DELETES)
async def delete_peer(work: OperatorChanges, peer_id: UUID) -> None:
    await clusters.delete_peer(work, peer_id)
