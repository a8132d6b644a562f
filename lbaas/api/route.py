"""What every route under /v1 does around its function: the one place where a request is committed.

The answer exists before the commit, so that it can be stored in the same transaction (Idempotency-Key),
and a refused commit can still say why. A dry run does all of it but the commit.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.exc import IntegrityError

from lbaas.errors import FieldProblem, Invalid
from lbaas.persistence.violations import as_refusal
from lbaas.services import idempotency
from lbaas.services.idempotency import Answer, Claim
from lbaas.services.runtime import Runtime
from lbaas.services.settling import settle
from lbaas.services.trail import Action
from lbaas.services.work import Work
from lbaas.tracing import spans
from lbaas.wire.fields import Named, Removal

REPLAYED = "Idempotent-Replayed"
DRY_RUN = "LBaaS-Dry-Run"
REVISION = "LBaaS-Revision"  # of a write: the one that it made


class AnsweredBefore(Exception):
    """The request is a repetition; its work is not done again."""

    def __init__(self, answer: Answer) -> None:
        self.response = Response(answer.body, answer.status, dict(answer.headers))
        self.response.headers[REPLAYED] = "true"


class Exchange:
    """What the parts of one request that writes tell each other, in ``request.state``."""

    def __init__(self, work: Work, claim: Claim | None, *, dry_run: bool) -> None:
        self.work = work
        self.claim = claim
        self.dry_run = dry_run


class Route(APIRoute):
    """A route that settles and commits what its function wrote."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        parameters = frozenset(_query_parameters(self.dependant))

        async def answer(request: Request) -> Response:
            _refuse_unknown(request, parameters)
            try:
                response = await handle(request)
                return await _finished(request, response)
            except IntegrityError as error:
                raise as_refusal(error) from error
            except AnsweredBefore as before:
                return before.response

        return answer


def as_json(text: bytes) -> Response:
    """*text*, which is JSON of the route's model already, as its answer."""
    return Response(text, media_type="application/json")


def as_created(text: bytes, version: int, revision: int) -> Response:
    """The answer to a POST that is committed already."""
    headers = {"ETag": f'"{version}"', REVISION: str(revision)}
    return Response(text, 201, headers, media_type="application/json")


async def _finished(request: Request, response: Response) -> Response:
    """*response* with what the headers tell of the work; written work is durable from here on."""
    work: Work | None = getattr(request.state, "work", None)
    if work is not None and work.shown is not None:
        response.headers["ETag"] = f'"{work.shown}"'
    exchange: Exchange | None = getattr(request.state, "exchange", None)
    if exchange is None:
        return response
    await settle(exchange.work)
    if exchange.dry_run:
        await exchange.work.session.rollback()
        return _plan(exchange.work, response)
    await _commit(request.app.state.runtime, exchange, response)
    return response


async def _commit(runtime: Runtime, exchange: Exchange, response: Response) -> None:
    work = exchange.work
    revision = await work.revision()
    if revision is not None:
        response.headers[REVISION] = str(revision)
        spans.note({"lbaas.revision": revision})
    if exchange.claim is not None:
        headers = {
            name: value for name, value in response.headers.items() if name != "x-request-id"
        }
        await idempotency.keep(
            work, exchange.claim, Answer(response.status_code, headers, bytes(response.body))
        )
    await work.commit()
    runtime.tell(work.notices)


def _plan(work: Work, response: Response) -> Response:
    """The answer of a dry run: 200, the object as it would be, or what would be removed."""
    headers = {DRY_RUN: "true"}
    if response.status_code == 204:
        gone = [
            Named(kind=deed.kind.replace("_", " "), id=deed.object_id, name=deed.object_name)
            for deed in work.trail.deeds()
            if deed.action is Action.DELETE
        ]
        body = Removal(removes=gone).model_dump_json().encode()
    else:
        body = bytes(response.body)
    return Response(body, 200, headers, media_type="application/json")


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        yield parameter.alias
    for inner in dependant.dependencies:
        yield from _query_parameters(inner)


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """A misspelt filter that is silently dropped would show, or change, the wrong objects."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        possible = ", ".join(sorted(known)) or "none"
        raise Invalid(
            f"there is no parameter {unknown[0]!r} here; possible: {possible}",
            problems=[FieldProblem(parameter=name, detail="unknown") for name in unknown],
        )
