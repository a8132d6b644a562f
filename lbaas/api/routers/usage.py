"""Usage: what was counted, and whether the two ends agree."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from lbaas.api.dependencies import Cursor, Limit, Shared, TenantReads
from lbaas.api.route import Route
from lbaas.api.routers import READS
from lbaas.domain.usage import HOUR, Dimension, Direction, Granularity, Question
from lbaas.services import reconciliation, usage, usage_export
from lbaas.services.usage import bad
from lbaas.wire.fields import Instant, Page, Prefix
from lbaas.wire.ledger import Reconciliation, Usage

FORMS = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
TOTAL = "total"

router = APIRouter(tags=["tenant"], route_class=Route)

Begin = Annotated[
    Instant | None,
    Query(
        alias="from",
        description="From then on, rounded down to a whole hour (minute, where minutes are asked for). "
        "A day before the end if left out.",
        examples=["2026-11-01T00:00:00Z"],
    ),
]
End = Annotated[
    Instant | None,
    Query(alias="to", description="Before then, rounded up. Now if left out."),
]


async def asked(
    shared: Shared,
    *,
    begin: Begin = None,
    end: End = None,
    granularity: Annotated[
        Granularity,
        Query(description="Steps of UTC. Minutes are kept for about a day, and not by prefix."),
    ] = Granularity.HOUR,
    group_by: Annotated[
        str,
        Query(
            max_length=100,
            description="What sums are told apart by, several with commas: tenant, vip, listener, direction, "
            "prefix; or total.",
            examples=["vip,direction", "tenant,direction", "total"],
        ),
    ] = "vip,direction",
    tenant_id: Annotated[UUID | None, Query(description="For operators, who see all.")] = None,
    vip_id: UUID | None = None,
    listener_id: UUID | None = None,
    direction: Direction | None = None,
    prefix: Annotated[
        Prefix | None, Query(description="Clients inside it.", examples=["192.0.2.0/24"])
    ] = None,
) -> Question:
    """Which usage a request asks for."""
    now = datetime.now(UTC)
    first, last = usage.period(begin, end, now, granularity.resolution)
    question = Question(
        begin=first,
        end=last,
        granularity=granularity,
        by=_dimensions(group_by),
        tenant_id=tenant_id,
        vip_id=vip_id,
        listener_id=listener_id,
        direction=direction,
        prefix=prefix,
    )
    return usage.checked(question, now, shared.retention)


@router.get(
    "/usage",
    summary="Show what was counted",
    response_model=Page[Usage],
    responses={
        **READS,
        200: {
            "description": "A page of sums, oldest first; or, as CSV or NDJSON, all of them.",
            "content": {form: {"schema": {"type": "string"}} for form in FORMS.values()},
        },
    },
)
async def list_usage(
    request: Request,
    work: TenantReads,
    shared: Shared,
    question: Annotated[Question, Depends(asked)],
    limit: Limit = 100,
    cursor: Cursor = None,
    format: Annotated[  # noqa: A002 - the parameter's name in the URL
        Literal["json", "csv", "ndjson"] | None,
        Query(
            description="csv, ndjson: all sums, whatever limit and cursor say. Or say it by Accept."
        ),
    ] = None,
) -> Response | Page[Usage]:
    own = usage.owned(question, work.caller)
    form = format or _accepted(request.headers.get("accept", ""))
    if form in FORMS:
        return StreamingResponse(
            usage_export.lines(shared.database, own, form), media_type=FORMS[form]
        )
    if own is None:
        return Page[Usage](items=[], next_cursor=None)
    return await usage.page(work.session, own, limit, cursor)


@router.get(
    "/usage/reconciliation",
    summary="Compare what nodes and backend hosts counted",
    responses=READS,
)
async def get_reconciliation(
    work: TenantReads,
    begin: Begin = None,
    end: End = None,
    tenant_id: Annotated[UUID | None, Query(description="For operators, who see all.")] = None,
    vip_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Reconciliation:
    first, last = usage.period(begin, end, datetime.now(UTC), HOUR)
    question = Question(begin=first, end=last, tenant_id=tenant_id, vip_id=vip_id)
    return await reconciliation.page(work, question, limit, cursor)


def _dimensions(text: str) -> frozenset[Dimension]:
    if text == TOTAL:
        return frozenset()
    try:
        return frozenset(map(Dimension, text.split(",")))
    except ValueError as error:
        possible = ", ".join([*Dimension, TOTAL])
        raise bad("group_by", f"{error}; possible: {possible}") from error


def _accepted(accept: str) -> str | None:
    return next((form for form, media_type in FORMS.items() if media_type in accept), None)
