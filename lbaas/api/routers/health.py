"""Whether the process lives, and whether it can serve."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from lbaas.api.dependencies import OperatorCaller, Shared
from lbaas.api.problems import responses
from lbaas.services import health
from lbaas.services.metrics import MEDIA_TYPE

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"]


@router.get("/healthz", summary="Tell that the process lives")
async def get_health() -> Health:
    return Health(status="ok")


@router.get("/readyz", summary="Tell that it can serve", responses=responses(503))
async def get_readiness(shared: Shared) -> Health:
    await health.check(shared)
    return Health(status="ok")


@router.get(
    "/metrics",
    summary="Show this process's and the feed's figures to Prometheus",
    response_class=Response,
    responses={**responses(401, 403, 503), 200: {"content": {"text/plain": {}}}},
)
async def get_metrics(shared: Shared, caller: OperatorCaller) -> Response:  # noqa: ARG001 - asked for its check
    return Response(await shared.scrape(), media_type=MEDIA_TYPE)
