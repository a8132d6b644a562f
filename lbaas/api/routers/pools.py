"""Pools and their members."""

from collections.abc import Iterable
from uuid import UUID

from fastapi import APIRouter, Response

from lbaas.api.dependencies import (
    AddressFilter,
    LabelFilter,
    Listed,
    ListedByAge,
    NameFilter,
    TenantChanges,
    TenantCreates,
    TenantReads,
)
from lbaas.api.problems import responses
from lbaas.api.route import Route, as_json
from lbaas.api.routers import CHANGES, CREATES, DELETES, READS
from lbaas.domain.terms import MemberAdminState
from lbaas.services import members, pools, reading
from lbaas.wire import tenants as wire
from lbaas.wire.fields import Page

router = APIRouter(tags=["tenant"], route_class=Route)


@router.post("/pools", status_code=201, summary="Add a pool", responses=CREATES)
async def create_pool(work: TenantCreates, body: wire.PoolCreate) -> wire.Pool:
    return reading.shown(work, wire.Pool, await pools.create(work, body))


@router.get("/pools", summary="List pools", responses=READS, response_model=Page[wire.Pool])
async def list_pools(
    work: TenantReads,
    window: Listed,
    name: NameFilter = None,
    labels: LabelFilter = None,
    tenant_id: UUID | None = None,
) -> Response:
    return as_json(
        await reading.some(work, wire.Pool, window, name=name, labels=labels, tenant_id=tenant_id)
    )


@router.get("/pools/{pool_id}", summary="Show a pool", responses=READS, response_model=wire.Pool)
async def get_pool(work: TenantReads, pool_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Pool, pool_id))


@router.patch("/pools/{pool_id}", summary="Change a pool", responses=CHANGES)
async def patch_pool(work: TenantChanges, pool_id: UUID, body: wire.PoolPatch) -> wire.Pool:
    return reading.shown(work, wire.Pool, await pools.patch(work, pool_id, body))


@router.delete("/pools/{pool_id}", status_code=204, summary="Remove a pool", responses=DELETES)
async def delete_pool(work: TenantChanges, pool_id: UUID) -> None:
    await pools.delete(work, pool_id)


@router.post("/pools/{pool_id}/members", status_code=201, summary="Add a member", responses=CREATES)
async def create_member(work: TenantCreates, pool_id: UUID, body: wire.MemberCreate) -> wire.Member:
    return reading.shown(work, wire.Member, await members.add(work, pool_id, body))


@router.post(
    "/pools/{pool_id}/members:add",
    status_code=201,
    summary="Add several members, all or none",
    responses=CREATES,
)
async def add_members(work: TenantCreates, pool_id: UUID, body: wire.MemberSet) -> wire.MemberList:
    return _list(await members.add_all(work, pool_id, body))


@router.put(
    "/pools/{pool_id}/members",
    summary="Replace the set of members",
    responses={**CHANGES, **responses(428)},
)
async def replace_members(
    work: TenantChanges, pool_id: UUID, body: wire.MemberSet
) -> wire.MemberList:
    """Who stays, by address, keeps its id and its flows. If-Match is required: the ETag of the list, or *."""
    return _list(await members.replace(work, pool_id, body))


@router.get(
    "/pools/{pool_id}/members",
    summary="List a pool's members",
    responses=READS,
    response_model=Page[wire.Member],
)
async def list_members(
    work: TenantReads,
    window: ListedByAge,
    pool_id: UUID,
    labels: LabelFilter = None,
    address: AddressFilter = None,
    admin_state: MemberAdminState | None = None,
) -> Response:
    """The answer's ETag is that of the whole set, whatever page of it is shown."""
    return as_json(
        await reading.pool_members(
            work,
            pool_id,
            window,
            labels=labels,
            address=address,
            admin_state=admin_state,
        )
    )


@router.get(
    "/pools/{pool_id}/members/{member_id}",
    summary="Show a member",
    responses=READS,
    response_model=wire.Member,
)
async def get_member(work: TenantReads, pool_id: UUID, member_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Member, member_id, members.members_of(pool_id)))


@router.patch("/pools/{pool_id}/members/{member_id}", summary="Change a member", responses=CHANGES)
async def patch_member(
    work: TenantChanges, pool_id: UUID, member_id: UUID, body: wire.MemberPatch
) -> wire.Member:
    return reading.shown(work, wire.Member, await members.patch(work, pool_id, member_id, body))


@router.delete(
    "/pools/{pool_id}/members/{member_id}",
    status_code=204,
    summary="Remove a member",
    responses=DELETES,
)
async def delete_member(work: TenantChanges, pool_id: UUID, member_id: UUID) -> None:
    await members.remove(work, pool_id, member_id)


def _list(rows: Iterable[object]) -> wire.MemberList:
    return wire.MemberList(members=[wire.Member.model_validate(row) for row in rows])
