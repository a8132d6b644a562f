"""Tenants, and the tokens of everybody."""

from uuid import UUID

from fastapi import APIRouter, Response

from lbaas.api.dependencies import (
    Listed,
    NameFilter,
    OperatorChanges,
    OperatorCreates,
    OperatorReads,
    TenantReads,
)
from lbaas.api.route import Route, as_json
from lbaas.api.routers import CHANGES, CREATES, DELETES, READS
from lbaas.domain.terms import Role, TenantAdminState
from lbaas.services import reading, tenants, tokens
from lbaas.wire import operators as wire
from lbaas.wire.fields import Page

router = APIRouter(tags=["operator"], route_class=Route)
own = APIRouter(tags=["tenant"], route_class=Route)


@router.post("/tenants", status_code=201, summary="Add a tenant", responses=CREATES)
async def create_tenant(work: OperatorCreates, body: wire.TenantCreate) -> wire.TenantInUse:
    return await reading.tenant(work, await tenants.create(work, body))


@router.get("/tenants", summary="List tenants", responses=READS, response_model=Page[wire.Tenant])
async def list_tenants(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
    admin_state: TenantAdminState | None = None,
) -> Response:
    return as_json(
        await reading.some(work, wire.Tenant, window, name=name, admin_state=admin_state)
    )


@router.get("/tenants/{tenant_id}", summary="Show a tenant", responses=READS)
async def get_tenant(work: OperatorReads, tenant_id: UUID) -> wire.TenantInUse:
    return await reading.tenant(work, await tenants.get(work, tenant_id))


@router.patch("/tenants/{tenant_id}", summary="Change a tenant", responses=CHANGES)
async def patch_tenant(
    work: OperatorChanges, tenant_id: UUID, body: wire.TenantPatch
) -> wire.TenantInUse:
    return await reading.tenant(work, await tenants.patch(work, tenant_id, body))


@router.delete(
    "/tenants/{tenant_id}", status_code=204, summary="Remove a tenant", responses=DELETES
)
async def delete_tenant(work: OperatorChanges, tenant_id: UUID) -> None:
    await tenants.delete(work, tenant_id)


@router.post("/tokens", status_code=201, summary="Make a token", responses=CREATES)
async def create_token(work: OperatorCreates, body: wire.TokenCreate) -> wire.NewToken:
    return await tokens.create(work, body)


@router.get("/tokens", summary="List tokens", responses=READS, response_model=Page[wire.Token])
async def list_tokens(
    work: OperatorReads,
    window: Listed,
    name: NameFilter = None,
    role: Role | None = None,
    tenant_id: UUID | None = None,
) -> Response:
    return as_json(
        await reading.some(work, wire.Token, window, name=name, role=role, tenant_id=tenant_id)
    )


@router.get(
    "/tokens/{token_id}",
    summary="Show a token, without its secret",
    responses=READS,
    response_model=wire.Token,
)
async def get_token(work: OperatorReads, token_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Token, token_id))


@router.delete("/tokens/{token_id}", status_code=204, summary="Revoke a token", responses=DELETES)
async def delete_token(work: OperatorChanges, token_id: UUID) -> None:
    await tokens.revoke(work, token_id)


@own.get("/tenant", summary="Show one's own tenant, its quotas and use", responses=READS)
async def get_own_tenant(work: TenantReads) -> wire.TenantInUse:
    return await reading.tenant(work, await tenants.get(work, tenants.own(work)))
