"""RFC 9457: the one place where errors become HTTP answers.

Each class of :mod:`lbaas.errors` that is a refusal has a row here; its ``type`` is ``/errors/`` and the
class's name in kebab case, so it never changes by accident.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from lbaas import errors
from lbaas.persistence.outages import DATABASE_ERRORS, is_outage

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()


@dataclass(frozen=True)
class Kind:
    """How one class of error looks to a client."""

    status: HTTPStatus
    title: str


KINDS: Mapping[type[errors.Refused], Kind] = {
    errors.Invalid: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "A field's value can't be accepted"),
    errors.Unauthenticated: Kind(HTTPStatus.UNAUTHORIZED, "No token, or one that does not hold"),
    errors.CertificateNeeded: Kind(HTTPStatus.UNAUTHORIZED, "A certificate of its own is needed"),
    errors.Forbidden: Kind(HTTPStatus.FORBIDDEN, "The token's role may not do this"),
    errors.KeyReused: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The idempotency key is another request's"
    ),
    errors.Suspended: Kind(HTTPStatus.FORBIDDEN, "The tenant is suspended"),
    errors.RateLimited: Kind(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    errors.ChangedMeanwhile: Kind(HTTPStatus.PRECONDITION_FAILED, "Changed meanwhile"),
    errors.BlindWrite: Kind(HTTPStatus.PRECONDITION_REQUIRED, "Say what you have seen"),
    errors.InFlight: Kind(HTTPStatus.CONFLICT, "The same request is being worked on"),
    errors.QuotaExceeded: Kind(HTTPStatus.CONFLICT, "The quota is used up"),
    errors.NotFound: Kind(HTTPStatus.NOT_FOUND, "No such object"),
    errors.Gone: Kind(HTTPStatus.GONE, "The node or host was deleted"),
    errors.Conflict: Kind(HTTPStatus.CONFLICT, "The present state forbids it"),
    errors.InUse: Kind(HTTPStatus.CONFLICT, "Others use the object"),
    errors.NameTaken: Kind(HTTPStatus.CONFLICT, "The name is taken"),
    errors.AddressTaken: Kind(HTTPStatus.CONFLICT, "The address is taken"),
    errors.PortsOverlap: Kind(HTTPStatus.CONFLICT, "Another listener has the ports"),
    errors.PoolExhausted: Kind(HTTPStatus.CONFLICT, "No address is free"),
    errors.MarksExhausted: Kind(HTTPStatus.CONFLICT, "No fwmark is free"),
}

# What the frameworks refuse on their own. Python's phrases change between versions, a type must not.
HTTP_TITLES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Malformed JSON",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content too large",
}


# The other types, which no class of ours stands for: their answer's status, and what they mean.
OTHER_TYPES: Mapping[str, tuple[HTTPStatus, str]] = {
    "/errors/malformed-json": (
        HTTPStatus.BAD_REQUEST,
        "The body is no JSON, or no UTF-8; *detail* says where it stops making sense.",
    ),
    "/errors/no-such-path": (HTTPStatus.NOT_FOUND, "There is no such route: look at the path."),
    "/errors/method-not-allowed": (
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path exists and can't be asked so; ``Allow`` lists how.",
    ),
    "/errors/content-too-large": (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is larger than 1 MiB, or 16 MiB of usage reports: send less at once.",
    ),
    "/errors/unsupported-media-type": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body is not said to be JSON: say ``Content-Type: application/json``.",
    ),
    "/errors/internal": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "A defect of ours: tell the operator the ``X-Request-Id`` of the answer.",
    ),
    "/errors/server-unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The server lacks something that it needs, which *detail* names: try again later.",
    ),
    "/errors/database-busy": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database is away or busy: try again, which an ``Idempotency-Key`` makes safe for a POST.",
    ),
}


class ProblemField(BaseModel):
    """One thing that is wrong: in the body at *pointer* (RFC 6901), or a *parameter* by name."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(BaseModel):
    """RFC 9457. Some types have further members, like ``used_by``."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/errors/not-found"])
    title: str
    status: int
    detail: str
    problems: list[ProblemField] | None = None


def uri(kind: type[Exception]) -> str:
    """``/errors/pool-exhausted`` for PoolExhausted."""
    return "/errors/" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers that an operation declares."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def answer(
    status: int,
    type_uri: str,
    title: str,
    detail: str,
    *,
    problems: Sequence[Mapping[str, str]] = (),
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The problem as a response."""
    body = {"type": type_uri, "title": title, "status": status, "detail": detail, **(extra or {})}
    if problems:
        body["problems"] = list(problems)
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of *app* is a problem."""
    app.exception_handler(errors.Refused)(_refused)
    app.exception_handler(errors.ServerUnavailable)(_unready)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_http)
    for kind in DATABASE_ERRORS:
        app.exception_handler(kind)(_database)


def _refused(_request: Request, error: errors.Refused) -> JSONResponse:
    kind = KINDS[type(error)]
    problems = [
        {name: value for name, value in vars(bad).items() if value is not None}
        for bad in error.problems
    ]
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if kind.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(
        kind.status,
        uri(type(error)),
        kind.title,
        error.detail,
        problems=problems,
        extra=error.extra,
        headers=headers,
    )


def _unready(_request: Request, error: errors.ServerUnavailable) -> JSONResponse:
    title = HTTPStatus.SERVICE_UNAVAILABLE.phrase
    return answer(503, uri(errors.ServerUnavailable), title, str(error))


def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    if any(bad["type"] == "json_invalid" for bad in found):
        title = HTTP_TITLES[400]
        return answer(400, "/errors/malformed-json", title, str(found[0]["ctx"]["error"]))
    if any(bad["loc"] == ("body",) for bad in found) and not is_json(request):
        title = "The body is not said to be JSON"
        return answer(
            415, "/errors/unsupported-media-type", title, "say Content-Type: application/json"
        )
    kind = KINDS[errors.Invalid]
    problems = [_problem(bad, error.body) for bad in found]
    where = problems[0].get("pointer") or problems[0].get("parameter") or "the body"
    detail = f"{where}: {problems[0]['detail']}"
    return answer(kind.status, uri(errors.Invalid), kind.title, detail, problems=problems)


def is_json(request: Request) -> bool:
    """The body is said to be JSON."""
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"


def _problem(bad: Mapping[str, Any], body: object) -> dict[str, str]:
    """One error of pydantic's, whose *loc* begins with where the value was."""
    place, *path = bad["loc"]
    if place != "body":
        return {"parameter": str(path[0]) if path else str(place), "detail": bad["msg"]}
    missing = path[-1:] if bad.get("type") == "missing" else []
    path = [*_found(path[: len(path) - len(missing)], body), *missing]
    if "field" in (context := bad.get("ctx", {})):
        path.append(context["field"])
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return {"pointer": "".join(f"/{part}" for part in escaped), "detail": bad["msg"]}


def _found(path: Iterable[str | int], value: Any) -> Iterator[str | int]:
    """The parts of *path* that are in *value*: pydantic also names the branch of a union that it tried."""
    for part in path:
        if (
            part in value
            if isinstance(value, dict)
            else isinstance(value, list) and part in range(len(value))
        ):
            yield part
            value = value[part]


def _http(request: Request, error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(_allowed(request))) or (error.headers or {})["Allow"]
        detail = f"{request.method} is not possible here; possible: {allowed}"
        return answer(
            405, "/errors/method-not-allowed", status.phrase, detail, headers={"Allow": allowed}
        )
    if status is HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path}"
        return answer(404, "/errors/no-such-path", "No such path", detail)
    title = HTTP_TITLES.get(status, status.phrase)
    slug = title.lower().replace(" ", "-")
    return answer(status, f"/errors/{slug}", title, str(error.detail), headers=error.headers)


def _allowed(request: Request) -> set[str]:
    """The methods of all operations at the path; Starlette names those of the first route only."""
    operations = request.app.openapi()["paths"]
    return {
        method.upper()
        for template, methods in operations.items()
        if compile_path(template)[0].match(request.url.path)
        for method in methods
    }


def _database(_request: Request, error: Exception) -> JSONResponse:
    if is_outage(error):
        return unreachable(error)
    raise error


def unreachable(error: Exception) -> JSONResponse:
    """The answer to a request that Postgres did not answer."""
    log.warning("database busy or away", error=str(error))
    detail = "the database is busy or away: try again"
    title = HTTPStatus.SERVICE_UNAVAILABLE.phrase
    return answer(503, "/errors/database-busy", title, detail, headers={"Retry-After": "1"})


def internal() -> JSONResponse:
    """The answer to a request that met a defect of ours."""
    detail = "this is our fault: tell the operator the X-Request-Id of this answer"
    title = HTTPStatus.INTERNAL_SERVER_ERROR.phrase
    return answer(500, "/errors/internal", title, detail)
