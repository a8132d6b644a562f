"""The agents' side: the state they shall hold, and their reports of it."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from starlette.datastructures import Headers

from lbaas.api.bodies import UsageBody, described
from lbaas.api.dependencies import AgentCaller, HostChanges, Shared, Timeout, deadline
from lbaas.api.problems import responses
from lbaas.api.route import Route
from lbaas.api.routers import CHANGES, CREATES, READS
from lbaas.services import hosts, questions, reading, states
from lbaas.services.answers import IDENTITY, Answer, choose_coding
from lbaas.services.runtime import Runtime
from lbaas.services.work import Caller
from lbaas.tracing import spans
from lbaas.tracing.facts import Facts
from lbaas.wire import explanation, operators
from lbaas.wire.report import Report
from lbaas.wire.state import StateBody
from lbaas.wire.usage import UsageAcknowledged, UsageReports

_Header = tuple[bytes, bytes]

router = APIRouter(prefix="/agent", tags=["agent"], route_class=Route)


@router.get(
    "/state",
    summary="Show the state to hold, when there is a newer one",
    response_model=StateBody,
    responses={**READS, **responses(410), 304: {"description": "Nothing newer until the timeout."}},
)
async def get_state(
    shared: Shared,
    caller: AgentCaller,
    since: Annotated[
        int | None,
        Query(
            ge=0,
            le=2**63 - 1,
            description="The revision you hold: the answer leads from there, or from nothing if that is too "
            "long ago. None: the whole, at once.",
        ),
    ] = None,
    timeout_s: Timeout = 25,
    *,
    whole: Annotated[
        bool,
        Query(
            description="Your digest differs: from nothing to a revision not older than *since*."
        ),
    ] = False,
    past: Annotated[
        int | None,
        Query(
            ge=0,
            le=2**63 - 1,
            description="Instead of *since*: what you held before your start. You get the whole, and are told "
            "what is known of that revision.",
        ),
    ] = None,
    accept_encoding: Annotated[str, Header(description="Best first: zstd, gzip.")] = "",
) -> Response:
    answer = await shared.states.newer(
        states.subject_of(caller), since, deadline(timeout_s), whole=whole
    )
    return await respond(shared, caller, answer, past if since is None else since, accept_encoding)


class _StateResponse(Response):
    """*shared* are headers that all who are sent *body* have."""

    def __init__(self, body: bytes, shared: Iterable[_Header], agent: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [*shared, (b"lbaas-agent", agent)]


async def respond(
    shared: Runtime, caller: Caller, answer: Answer | None, held: int | None, accept_encoding: str
) -> Response:
    """*answer* as the caller, an agent that held the state of revision *held*, is sent it."""
    if answer is None:
        return Response(status_code=304)
    began_ns = spans.now_ns()
    agent, coding = str(caller.node_id or caller.host_id), choose_coding(accept_encoding)
    body = await answer.encoded(coding)
    lineage = await shared.lineage.headers(answer.revision, held)
    headers = _shared_headers(answer.revision, answer.digest, coding, len(body), lineage)
    facts: Facts = {"lbaas.agent": agent, "lbaas.revision": answer.revision}
    spans.follow("deliver", facts, answer.traces, began_ns)
    return _StateResponse(body, headers, agent.encode())


@lru_cache(maxsize=256)
def _shared_headers(
    revision: int, digest: str, coding: str, length: int, lineage: tuple[tuple[str, str], ...]
) -> tuple[_Header, ...]:
    """Put together once for all agents that get the same."""
    headers = Headers(
        {
            "Content-Length": str(length),
            "Content-Type": "application/json",
            "LBaaS-Revision": str(revision),
            "LBaaS-Digest": digest,
            "Vary": "Accept-Encoding",
            **dict(lineage),
            **({} if coding == IDENTITY else {"Content-Encoding": coding}),
        }
    )
    return tuple(headers.raw)


@router.post(
    "/report",
    status_code=204,
    summary="Say what is applied",
    responses={**CREATES, **responses(410)},
)
async def create_report(shared: Shared, caller: AgentCaller, body: Report) -> None:
    await shared.reports.store(caller, body)


@router.get(
    "/questions",
    summary="Hear what to look at, when something is asked",
    responses={**READS, **responses(410)},
)
async def get_questions(
    shared: Shared, caller: AgentCaller, timeout_s: Timeout = 55
) -> explanation.Questions:
    return await questions.waiting(shared.database, shared.bells, caller, deadline(timeout_s))


@router.post(
    "/answers/{question_id}",
    status_code=204,
    summary="Say what was seen",
    responses={**CREATES, **responses(410)},
)
async def create_answer(
    shared: Shared, caller: AgentCaller, question_id: UUID, body: explanation.Answer
) -> None:
    await questions.store(shared.database, shared.sender, caller, question_id, body)


@router.post(
    "/usage",
    summary="Say what was counted",
    responses={**CREATES, **responses(410)},
    openapi_extra=described(UsageReports),
)
async def create_usage(shared: Shared, caller: AgentCaller, body: UsageBody) -> UsageAcknowledged:
    return await shared.ledger.enter(caller, body.reports)


@router.put(
    "/addresses",
    summary="Say which addresses the host's pods have",
    responses={**CHANGES, **responses(410)},
)
async def replace_addresses(
    work: HostChanges, body: operators.PodAddresses
) -> operators.BackendHost:
    """Those within the host's prefixes that no other host has are the host's from now on, and no others."""
    return reading.shown(work, operators.BackendHost, await hosts.claim(work, body))
