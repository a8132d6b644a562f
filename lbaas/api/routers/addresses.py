"""Where VIPs get their addresses, and where members live."""

from uuid import UUID

from fastapi import APIRouter

from lbaas.api.dependencies import Cursor, Limit, OperatorReads, OperatorWrites
from lbaas.api.routers import DELETES, READS, WRITES
from lbaas.services import address_pools, hosts, reading
from lbaas.wire import operators as wire
from lbaas.wire.fields import Name, Page

router = APIRouter(tags=["operator"])


@router.post("/address-pools", status_code=201, summary="Add an address pool", responses=WRITES)
async def create_address_pool(
    work: OperatorWrites, body: wire.AddressPoolCreate
) -> wire.AddressPool:
    return wire.AddressPool.model_validate(await address_pools.create(work, body))


@router.get("/address-pools", summary="List address pools", responses=READS)
async def list_address_pools(
    work: OperatorReads,
    limit: Limit = 100,
    cursor: Cursor = None,
    name: Name | None = None,
    cluster_id: UUID | None = None,
) -> Page[wire.AddressPool]:
    return await reading.some(
        work, wire.AddressPool, limit, cursor, name=name, cluster_id=cluster_id
    )


@router.get("/address-pools/{address_pool_id}", summary="Show an address pool", responses=READS)
async def get_address_pool(work: OperatorReads, address_pool_id: UUID) -> wire.AddressPool:
    return await reading.one(work, wire.AddressPool, address_pool_id)


@router.patch(
    "/address-pools/{address_pool_id}", summary="Change an address pool", responses=WRITES
)
async def patch_address_pool(
    work: OperatorWrites, address_pool_id: UUID, body: wire.AddressPoolPatch
) -> wire.AddressPool:
    return wire.AddressPool.model_validate(await address_pools.patch(work, address_pool_id, body))


@router.delete(
    "/address-pools/{address_pool_id}",
    status_code=204,
    summary="Remove an address pool",
    responses=DELETES,
)
async def delete_address_pool(work: OperatorWrites, address_pool_id: UUID) -> None:
    await address_pools.delete(work, address_pool_id)


@router.post("/backend-hosts", status_code=201, summary="Add a backend host", responses=WRITES)
async def create_backend_host(
    work: OperatorWrites, body: wire.BackendHostCreate
) -> wire.BackendHost:
    return wire.BackendHost.model_validate(await hosts.create(work, body))


@router.get("/backend-hosts", summary="List backend hosts", responses=READS)
async def list_backend_hosts(
    work: OperatorReads,
    limit: Limit = 100,
    cursor: Cursor = None,
    name: Name | None = None,
) -> Page[wire.BackendHost]:
    return await reading.some(work, wire.BackendHost, limit, cursor, name=name)


@router.get("/backend-hosts/{backend_host_id}", summary="Show a backend host", responses=READS)
async def get_backend_host(work: OperatorReads, backend_host_id: UUID) -> wire.BackendHost:
    return await reading.one(work, wire.BackendHost, backend_host_id)


@router.patch("/backend-hosts/{backend_host_id}", summary="Change a backend host", responses=WRITES)
async def patch_backend_host(
    work: OperatorWrites, backend_host_id: UUID, body: wire.BackendHostPatch
) -> wire.BackendHost:
    return wire.BackendHost.model_validate(await hosts.patch(work, backend_host_id, body))


@router.delete(
    "/backend-hosts/{backend_host_id}",
    status_code=204,
    summary="Remove a backend host",
    responses=DELETES,
)
async def delete_backend_host(work: OperatorWrites, backend_host_id: UUID) -> None:
    await hosts.delete(work, backend_host_id)
