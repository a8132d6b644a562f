"""VIPs and their listeners."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from lbaas.api.dependencies import (
    AddressFilter,
    LabelFilter,
    Listed,
    NameFilter,
    Shared,
    TenantCaller,
    TenantChanges,
    TenantCreates,
    TenantReads,
    Timeout,
    deadline,
)
from lbaas.api.route import Route, as_json
from lbaas.api.routers import CHANGES, CREATES, DELETES, READS
from lbaas.domain.terms import Progress, Protocol
from lbaas.services import listeners, reading, vips
from lbaas.services import status as progress
from lbaas.services.explanation import Asked
from lbaas.wire import tenants as wire
from lbaas.wire.explanation import Explanation
from lbaas.wire.fields import Address, Page
from lbaas.wire.status import VipStatus

router = APIRouter(tags=["tenant"], route_class=Route)


@router.post("/vips", status_code=201, summary="Add a VIP", responses=CREATES)
async def create_vip(work: TenantCreates, body: wire.VipCreate) -> wire.Vip:
    # A tenant's plain POST does not come so far: see lbaas.api.creations.
    return reading.shown(work, wire.Vip, await vips.create(work, body))


@router.get("/vips", summary="List VIPs", responses=READS, response_model=Page[wire.Vip])
async def list_vips(
    work: TenantReads,
    window: Listed,
    name: NameFilter = None,
    labels: LabelFilter = None,
    address: AddressFilter = None,
    address_pool_id: UUID | None = None,
    status: Annotated[
        Progress | None, Query(description="How far the newest change has come, as of now.")
    ] = None,
    tenant_id: UUID | None = None,
) -> Response:
    return as_json(
        await reading.some(
            work,
            wire.Vip,
            window,
            name=name,
            labels=labels,
            address=address,
            address_pool_id=address_pool_id,
            status=status,
            tenant_id=tenant_id,
        )
    )


@router.get("/vips/{vip_id}", summary="Show a VIP", responses=READS, response_model=wire.Vip)
async def get_vip(work: TenantReads, vip_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Vip, vip_id))


@router.patch("/vips/{vip_id}", summary="Change a VIP", responses=CHANGES)
async def patch_vip(work: TenantChanges, vip_id: UUID, body: wire.VipPatch) -> wire.Vip:
    return reading.shown(work, wire.Vip, await vips.patch(work, vip_id, body))


@router.delete("/vips/{vip_id}", status_code=204, summary="Remove a VIP", responses=DELETES)
async def delete_vip(
    work: TenantChanges,
    vip_id: UUID,
    *,
    cascade: Annotated[
        bool, Query(description="Its listeners too, those of two VIPs included.")
    ] = False,
) -> None:
    await vips.delete(work, vip_id, cascade=cascade)


@router.get("/vips/{vip_id}/status", summary="Show what is programmed where", responses=READS)
async def get_vip_status(
    shared: Shared,
    caller: TenantCaller,
    vip_id: UUID,
    wait_for: Annotated[
        Literal["programmed"] | None, Query(description="Answer when it is so, or at the timeout.")
    ] = None,
    timeout_s: Timeout = 30,
) -> VipStatus:
    until = deadline(timeout_s if wait_for else 0)
    return await progress.wait(shared.database, shared.bells, caller, vip_id, until)


@router.get(
    "/vips/{vip_id}/explanation",
    summary="Show a flow's way, hop by hop",
    responses=READS,
)
async def get_vip_explanation(
    shared: Shared,
    caller: TenantCaller,
    vip_id: UUID,
    client: Annotated[
        Address, Query(description="Who asks.", openapi_examples={"any": {"value": "192.0.2.7"}})
    ],
    port: Annotated[
        int,
        Query(
            ge=1,
            le=65535,
            description="What port of the VIP he asks.",
            openapi_examples={"any": {"value": 80}},
        ),
    ],
    client_port: Annotated[
        int | None,
        Query(ge=1, le=65535, description="From which port; None: any, and then no one member."),
    ] = None,
    protocol: Protocol = Protocol.TCP,
    timeout_s: Annotated[
        float, Query(ge=0, le=30, description="How long to wait for what agents see, in seconds.")
    ] = 5,
) -> Explanation:
    asked = Asked(client, client_port, port, protocol)
    return await shared.explainer.explain(caller, vip_id, asked, timeout_s)


@router.post("/listeners", status_code=201, summary="Add a listener", responses=CREATES)
async def create_listener(work: TenantCreates, body: wire.ListenerCreate) -> wire.Listener:
    return reading.shown(work, wire.Listener, await listeners.create(work, body))


@router.get(
    "/listeners", summary="List listeners", responses=READS, response_model=Page[wire.Listener]
)
async def list_listeners(
    work: TenantReads,
    window: Listed,
    name: NameFilter = None,
    labels: LabelFilter = None,
    vip_id: UUID | None = None,
    pool_id: UUID | None = None,
    protocol: Protocol | None = None,
    tenant_id: UUID | None = None,
) -> Response:
    return as_json(
        await reading.some(
            work,
            wire.Listener,
            window,
            name=name,
            labels=labels,
            vip_id=vip_id,
            pool_id=pool_id,
            protocol=protocol,
            tenant_id=tenant_id,
        )
    )


@router.get(
    "/listeners/{listener_id}",
    summary="Show a listener",
    responses=READS,
    response_model=wire.Listener,
)
async def get_listener(work: TenantReads, listener_id: UUID) -> Response:
    return as_json(await reading.one(work, wire.Listener, listener_id))


@router.patch("/listeners/{listener_id}", summary="Change a listener", responses=CHANGES)
async def patch_listener(
    work: TenantChanges, listener_id: UUID, body: wire.ListenerPatch
) -> wire.Listener:
    return reading.shown(work, wire.Listener, await listeners.patch(work, listener_id, body))


@router.delete(
    "/listeners/{listener_id}", status_code=204, summary="Remove a listener", responses=DELETES
)
async def delete_listener(work: TenantChanges, listener_id: UUID) -> None:
    await listeners.delete(work, listener_id)
