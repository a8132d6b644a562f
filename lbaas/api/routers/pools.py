"""Pools and their members."""

from uuid import UUID

from fastapi import APIRouter

from lbaas.api.dependencies import Cursor, Limit, TenantChanges, TenantCreates, TenantReads
from lbaas.api.route import Route
from lbaas.api.routers import CHANGES, CREATES, DELETES, READS
from lbaas.services import pools, reading
from lbaas.wire import tenants as wire
from lbaas.wire.fields import Name, Page

router = APIRouter(tags=["tenant"], route_class=Route)


@router.post("/pools", status_code=201, summary="Add a pool", responses=CREATES)
async def create_pool(work: TenantCreates, body: wire.PoolCreate) -> wire.Pool:
    return reading.shown(work, wire.Pool, await pools.create(work, body))


@router.get("/pools", summary="List pools", responses=READS)
async def list_pools(
    work: TenantReads,
    limit: Limit = 100,
    cursor: Cursor = None,
    name: Name | None = None,
) -> Page[wire.Pool]:
    return await reading.some(work, wire.Pool, limit, cursor, name=name)


@router.get("/pools/{pool_id}", summary="Show a pool", responses=READS)
async def get_pool(work: TenantReads, pool_id: UUID) -> wire.Pool:
    return await reading.one(work, wire.Pool, pool_id)


@router.patch("/pools/{pool_id}", summary="Change a pool", responses=CHANGES)
async def patch_pool(work: TenantChanges, pool_id: UUID, body: wire.PoolPatch) -> wire.Pool:
    return reading.shown(work, wire.Pool, await pools.patch(work, pool_id, body))


@router.delete("/pools/{pool_id}", status_code=204, summary="Remove a pool", responses=DELETES)
async def delete_pool(work: TenantChanges, pool_id: UUID) -> None:
    await pools.delete(work, pool_id)


@router.post("/pools/{pool_id}/members", status_code=201, summary="Add a member", responses=CREATES)
async def create_member(work: TenantCreates, pool_id: UUID, body: wire.MemberCreate) -> wire.Member:
    return reading.shown(work, wire.Member, await pools.add_member(work, pool_id, body))


@router.get("/pools/{pool_id}/members", summary="List a pool's members", responses=READS)
async def list_members(
    work: TenantReads, pool_id: UUID, limit: Limit = 100, cursor: Cursor = None
) -> Page[wire.Member]:
    await reading.one(work, wire.Pool, pool_id)
    return await reading.some(work, wire.Member, limit, cursor, pool_id=pool_id)


@router.get("/pools/{pool_id}/members/{member_id}", summary="Show a member", responses=READS)
async def get_member(work: TenantReads, pool_id: UUID, member_id: UUID) -> wire.Member:
    return reading.shown(work, wire.Member, await pools.get_member(work, pool_id, member_id))


@router.patch("/pools/{pool_id}/members/{member_id}", summary="Change a member", responses=CHANGES)
async def patch_member(
    work: TenantChanges, pool_id: UUID, member_id: UUID, body: wire.MemberPatch
) -> wire.Member:
    return reading.shown(
        work, wire.Member, await pools.patch_member(work, pool_id, member_id, body)
    )


@router.delete(
    "/pools/{pool_id}/members/{member_id}",
    status_code=204,
    summary="Remove a member",
    responses=DELETES,
)
async def delete_member(work: TenantChanges, pool_id: UUID, member_id: UUID) -> None:
    await pools.remove_member(work, pool_id, member_id)
