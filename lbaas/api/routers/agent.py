"""The agents' side: the state they shall hold, and their reports of it."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from lbaas.api.dependencies import AgentCaller, AgentWrites, Shared, Timeout, deadline
from lbaas.api.route import Route
from lbaas.api.routers import CREATES, READS
from lbaas.services import reports, states
from lbaas.wire.report import Report
from lbaas.wire.state import ClusterState, HostState

router = APIRouter(prefix="/agent", tags=["agent"], route_class=Route)


@router.get(
    "/state",
    summary="Show the state to hold, when there is a newer one",
    response_model=ClusterState | HostState,
    responses={**READS, 304: {"description": "Nothing newer until the timeout."}},
)
async def get_state(
    shared: Shared,
    caller: AgentCaller,
    since: Annotated[
        int | None,
        Query(ge=0, le=2**63 - 1, description="The revision you hold; none: answer at once."),
    ] = None,
    timeout_s: Timeout = 25,
) -> Response:
    served = await shared.states.newer(states.subject_of(caller), since, deadline(timeout_s))
    if served is None:
        return Response(status_code=304)
    headers = {
        "LBaaS-Agent": str(caller.node_id or caller.host_id),
        "LBaaS-Revision": str(served.revision),
        "LBaaS-Digest": served.digest,
    }
    return Response(served.body, media_type="application/json", headers=headers)


@router.post("/report", status_code=204, summary="Say what is applied", responses=CREATES)
async def create_report(work: AgentWrites, body: Report) -> None:
    await reports.store(work, body)
