"""The audit trail."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from lbaas.api.dependencies import ListedByAge, Shared, TenantReads
from lbaas.api.route import Route
from lbaas.api.routers import READS
from lbaas.services import events
from lbaas.services.events import Filter
from lbaas.services.trail import Action
from lbaas.wire import tenants as wire
from lbaas.wire.fields import Instant, Page

NDJSON = "application/x-ndjson"
Word = Annotated[str, Query(pattern=r"^[!-~]{1,128}$")]

router = APIRouter(tags=["tenant"], route_class=Route)


async def asked_filter(
    *,
    kind: Annotated[
        Word | None, Query(description="As events name it: vip, address_pool, …")
    ] = None,
    object_id: UUID | None = None,
    action: Action | None = None,
    actor: Annotated[Word | None, Query(description="token:ID, or oidc:SUBJECT.")] = None,
    request_id: Word | None = None,
    since: Annotated[Instant | None, Query(description="From then on.")] = None,
    until: Annotated[Instant | None, Query(description="Before then.")] = None,
) -> Filter:
    """Which events a request asks for."""
    return Filter(kind, object_id, action, actor, request_id, since, until)


@router.get(
    "/events",
    summary="List who changed what",
    response_model=Page[wire.Event],
    responses={
        **READS,
        200: {
            "description": "A page; or, as NDJSON, all events, one a line.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
    },
)
async def list_events(
    request: Request,
    work: TenantReads,
    shared: Shared,
    which: Annotated[Filter, Depends(asked_filter)],
    window: ListedByAge,
    format: Annotated[  # noqa: A002 - the parameter's name in the URL
        Literal["json", "ndjson"] | None,
        Query(
            description="ndjson: all of them, oldest first, whatever limit, cursor and sort say. Or say it by Accept."
        ),
    ] = None,
) -> Response | Page[wire.Event]:
    if format == "ndjson" or (format is None and NDJSON in request.headers.get("accept", "")):
        return StreamingResponse(
            events.lines(shared.database, work.caller, which), media_type=NDJSON
        )
    return await events.some(work, window, which)
