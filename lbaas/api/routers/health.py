"""Whether the process lives, and whether it can serve."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from lbaas.api.dependencies import Shared
from lbaas.api.problems import responses
from lbaas.services import health

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
