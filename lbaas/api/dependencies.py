"""What routes ask for: the caller, and the work that is done in his name."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lbaas.api.presented import certificate
from lbaas.api.route import AnsweredBefore, Exchange
from lbaas.domain.terms import Role
from lbaas.errors import Forbidden
from lbaas.services import idempotency
from lbaas.services.idempotency import Claim
from lbaas.services.listing import Sort, Window
from lbaas.services.runtime import Runtime
from lbaas.services.work import Caller, Precondition, Work
from lbaas.tracing import spans
from lbaas.wire.fields import Address, Name

bearer = HTTPBearer(auto_error=False, description="A token, lbaas_…; or a JWT.")

Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many objects.")]
Cursor = Annotated[str | None, Query(min_length=1, description="next_cursor of the page before.")]
NameFilter = Annotated[Name | None, Query(description="The one with this name.")]
LabelFilter = Annotated[
    str | None,
    Query(
        max_length=1000,
        description="Those whose labels fit: key=value, key!=value, key, !key; several with commas.",
        examples=["env=prod,!canary"],
    ),
]
AddressFilter = Annotated[
    Address | None, Query(description="The one with this address.", examples=["192.0.2.1"])
]
Timeout = Annotated[float, Query(ge=0, le=60, description="How long to wait, in seconds.")]

KEY_PATTERN = r"^[!-~]{1,255}$"
# In the request's state: who asks, if that was found out, and counted, before the route.
KNOWN_CALLER = "caller"
STRONG_TAG = re.compile(r'(?<!W/)"([^"]*)"')


async def _listed(
    limit: Limit = 100,
    cursor: Cursor = None,
    sort: Annotated[Sort, Query(description="A minus sign turns the order round.")] = Sort.OLDEST,
) -> Window:
    return Window(limit, cursor, sort)


async def _listed_by_age(
    limit: Limit = 100,
    cursor: Cursor = None,
    sort: Annotated[
        Literal["created_at", "-created_at"], Query(description="Oldest or newest first.")
    ] = "created_at",
) -> Window:
    return Window(limit, cursor, Sort(sort))


Listed = Annotated[Window, Depends(_listed)]
ListedByAge = Annotated[Window, Depends(_listed_by_age)]


def runtime_of(request: Request) -> Runtime:
    """The process's shared parts."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def authenticate(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Caller:
    """Who asks, by token, certificate or both. Raises Unauthenticated or RateLimited."""
    known: Caller | None = getattr(request.state, KNOWN_CALLER, None)
    if known is not None:
        return known
    runtime = runtime_of(request)
    credential = None if credentials is None else credentials.credentials
    return await runtime.caller(credential, certificate(request.scope, request.headers))


Authenticated = Annotated[Caller, Depends(authenticate)]


def role(*allowed: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that lets only callers of these roles pass."""

    async def check(caller: Authenticated) -> Caller:
        if caller.role not in allowed:
            raise Forbidden(f"this is for {' and '.join(allowed)}, not for {caller.role}")
        return caller

    return check


@dataclass(frozen=True)
class Asked:
    """What a client says of a write besides the write: HTTP's habits, as headers and parameters."""

    key: str | None = None
    tags: str | None = None
    dry_run: bool = False


DryRun = Annotated[
    bool, Query(description="Answer what would be, and change nothing. No event, no stored answer.")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=KEY_PATTERN,
        description="Any text of your choice, for one request: repeated within 24 hours, it is "
        "answered as before and done once.",
        examples=["0192f1a0-6d5c-7a77-a1f4-1b1d3a3c8f10"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        description="The ETag that you last saw: if the object has another now, nothing is done."
    ),
]


async def asked_to_create(
    *, idempotency_key: IdempotencyKey = None, dry_run: DryRun = False
) -> Asked:
    """Of a POST."""
    return Asked(key=idempotency_key, dry_run=dry_run)


async def asked_to_change(*, if_match: IfMatch = None, dry_run: DryRun = False) -> Asked:
    """Of a PATCH, PUT or DELETE."""
    return Asked(tags=if_match, dry_run=dry_run)


async def asked_by_an_agent(*, dry_run: DryRun = False) -> Asked:
    """Of a PUT that names no object: it is about the caller."""
    return Asked(dry_run=dry_run)


def _reading(*allowed: Role) -> Callable[..., AsyncIterator[Work]]:
    async def read(
        request: Request, caller: Annotated[Caller, Depends(role(*allowed))]
    ) -> AsyncIterator[Work]:
        async with runtime_of(request).database.autocommit() as session:
            request.state.work = Work(session, caller)
            yield request.state.work

    return read


def _writing(
    asking: Callable[..., Awaitable[Asked]], *allowed: Role
) -> Callable[..., AsyncIterator[Work]]:
    """Work that :mod:`lbaas.api.route` commits when the route's function has answered."""

    async def write(
        request: Request,
        caller: Annotated[Caller, Depends(role(*allowed))],
        asked: Annotated[Asked, Depends(asking)],
    ) -> AsyncIterator[Work]:
        with spans.part(spans.TRANSACTION):
            async with runtime_of(request).database.session() as session:
                work = Work(session, caller, request_id=request.state.request_id)
                work.precondition = _precondition(request, asked.tags)
                claim = None if asked.dry_run else await _claim(request, caller, asked.key)
                await _take(work, claim)
                request.state.work = work
                request.state.exchange = Exchange(work, claim, dry_run=asked.dry_run)
                yield work

    return write


def _precondition(request: Request, tags: str | None) -> Precondition | None:
    """The condition on the object that the path names last."""
    if tags is None:
        return None
    try:
        object_id = UUID(list(request.path_params.values())[-1])
    except ValueError:  # the route says so itself
        return None
    if tags.strip() == "*":
        return Precondition(object_id, None)
    return Precondition(object_id, frozenset(STRONG_TAG.findall(tags)))


async def _claim(request: Request, caller: Caller, key: str | None) -> Claim | None:
    if key is None:
        return None
    said = await request.body()
    with suppress(ValueError):  # what is no JSON is refused later
        said = json.loads(said)
    whole = essence(request.method, request.url.path, request.url.query, said)
    return idempotency.claim_for(caller, key, request.headers.get("authorization", ""), whole)


async def _take(work: Work, claim: Claim | None) -> None:
    """The key is held. Raises AnsweredBefore if the request was done already."""
    before = None if claim is None else await idempotency.take(work, claim)
    if before is not None:
        raise AnsweredBefore(before)


def essence(method: str, path: str, query: str, body: object) -> bytes:
    """What makes two requests the same; *body* as JSON has it, or as it came if it is none."""
    text = body if isinstance(body, bytes) else json.dumps(body, sort_keys=True).encode()
    return f"{method} {path}?{query}\n".encode() + text


# Scope "function": the session is closed before the answer is sent.
OPERATORS = (Role.ADMIN,)
TENANTS = (Role.ADMIN, Role.MEMBER)
READERS = (Role.ADMIN, Role.MEMBER, Role.READER)
AGENTS = (Role.NODE, Role.HOST)


def _creates(*allowed: Role) -> Any:
    return Depends(_writing(asked_to_create, *allowed), scope="function")


def _changes(*allowed: Role) -> Any:
    return Depends(_writing(asked_to_change, *allowed), scope="function")


OperatorReads = Annotated[Work, Depends(_reading(*OPERATORS), scope="function")]
OperatorCreates = Annotated[Work, _creates(*OPERATORS)]
OperatorChanges = Annotated[Work, _changes(*OPERATORS)]
TenantReads = Annotated[Work, Depends(_reading(*READERS), scope="function")]
TenantCreates = Annotated[Work, _creates(*TENANTS)]
TenantChanges = Annotated[Work, _changes(*TENANTS)]
OperatorCaller = Annotated[Caller, Depends(role(*OPERATORS))]
TenantCaller = Annotated[Caller, Depends(role(*READERS))]
HostChanges = Annotated[Work, Depends(_writing(asked_by_an_agent, Role.HOST), scope="function")]
AgentChanges = Annotated[Work, Depends(_writing(asked_by_an_agent, *AGENTS), scope="function")]
AgentCaller = Annotated[Caller, Depends(role(*AGENTS))]


async def _shared(request: Request) -> Runtime:
    return runtime_of(request)


Shared = Annotated[Runtime, Depends(_shared)]


def deadline(timeout_s: float) -> float:
    """The event loop's time in *timeout_s* from now."""
    return asyncio.get_running_loop().time() + timeout_s
