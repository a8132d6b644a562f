"""Where VIPs get their addresses, and where members live."""

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
from lbaas.services import address_pools, hosts, reading
from lbaas.wire import operators as wire
from lbaas.wire.fields import Page

router = APIRouter(tags=["operator"], route_class=Route)


@router.post("/address-pools", status_code=201, summary="Add an address pool", responses=CREATES)
async def create_address_pool(
    work: OperatorCreates, body: wire.AddressPoolCreate
) -> wire.AddressPool:
    return reading.shown(work, wire.AddressPool, await address_pools.create(work, body))


@router.get(
    "/address-pools",
    summary="List address pools",
    responses=READS,
    response_model=Page[wire.AddressPool],
)
async def list_address_pools(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
    cluster_id: UUID | None = None,
) -> Response:
    return as_json(
        await reading.some(work, wire.AddressPool, window, name=name, cluster_id=cluster_id)
    )


@router.get(
    "/address-pools/{address_pool_id}",
    summary="Show an address pool",
    responses=READS,
    response_model=wire.AddressPool,
)
async def get_address_pool(work: OperatorReads, address_pool_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.AddressPool, address_pool_id))


@router.patch(
    "/address-pools/{address_pool_id}", summary="Change an address pool", responses=CHANGES
)
async def patch_address_pool(
    work: OperatorChanges, address_pool_id: UUID, body: wire.AddressPoolPatch
) -> wire.AddressPool:
    return reading.shown(
        work, wire.AddressPool, await address_pools.patch(work, address_pool_id, body)
    )


@router.delete(
    "/address-pools/{address_pool_id}",
    status_code=204,
    summary="Remove an address pool",
    responses=DELETES,
)
async def delete_address_pool(work: OperatorChanges, address_pool_id: UUID) -> None:
    await address_pools.delete(work, address_pool_id)


@router.post("/backend-hosts", status_code=201, summary="Add a backend host", responses=CREATES)
async def create_backend_host(
    work: OperatorCreates, body: wire.BackendHostCreate
) -> wire.BackendHost:
    return reading.shown(work, wire.BackendHost, await hosts.create(work, body))


@router.get(
    "/backend-hosts",
    summary="List backend hosts",
    responses=READS,
    response_model=Page[wire.BackendHost],
)
async def list_backend_hosts(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
    address: AddressFilter = None,
) -> Response:
    return as_json(await reading.some(work, wire.BackendHost, window, name=name, address=address))


@router.get(
    "/backend-hosts/{backend_host_id}",
    summary="Show a backend host",
    responses=READS,
    response_model=wire.BackendHost,
)
async def get_backend_host(work: OperatorReads, backend_host_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.BackendHost, backend_host_id))


@router.patch(
    "/backend-hosts/{backend_host_id}", summary="Change a backend host", responses=CHANGES
)
async def patch_backend_host(
    work: OperatorChanges, backend_host_id: UUID, body: wire.BackendHostPatch
) -> wire.BackendHost:
    return reading.shown(work, wire.BackendHost, await hosts.patch(work, backend_host_id, body))


@router.delete(
    "/backend-hosts/{backend_host_id}",
    status_code=204,
    summary="Remove a backend host",
    responses=DELETES,
)
async def delete_backend_host(work: OperatorChanges, backend_host_id: UUID) -> None:
    await hosts.delete(work, backend_host_id)
