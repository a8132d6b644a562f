"""The epoch: an operator's word that this database is the truth, though agents hold what it does not know."""

from fastapi import APIRouter

from lbaas.api.dependencies import OperatorCaller, OperatorCreates, Shared
from lbaas.api.route import Route
from lbaas.api.routers import CREATES, READS
from lbaas.services import lineage
from lbaas.wire.epoch import Epoch, EpochRenewal

router = APIRouter(prefix="/epoch", tags=["operator"], route_class=Route)


@router.get("", summary="Show the epoch", responses=READS)
async def get_epoch(shared: Shared, caller: OperatorCaller) -> Epoch:  # noqa: ARG001 - asked for its check
    return Epoch.model_validate(await shared.lineage.epoch(), from_attributes=True)


@router.post(
    "/renew",
    summary="Begin a new epoch: agents obey this database from now on",
    description="After the database was restored to the past, agents keep what they hold until this is said.",
    responses=CREATES,
)
async def renew_epoch(work: OperatorCreates, body: EpochRenewal) -> Epoch:
    return Epoch.model_validate(await lineage.renew(work, body.present), from_attributes=True)
