"""What routes ask for: the caller, and a transaction that is committed once, after the route has run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import IntegrityError

from lbaas.domain.terms import Role
from lbaas.errors import Forbidden, Unauthenticated
from lbaas.persistence.violations import as_refusal
from lbaas.services.runtime import Runtime
from lbaas.services.work import Caller, Work

bearer = HTTPBearer(auto_error=False, description="A token: lbaas_…")

Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many objects.")]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]
Timeout = Annotated[float, Query(ge=0, le=60, description="How long to wait, in seconds.")]


def runtime_of(request: Request) -> Runtime:
    """The process's shared parts."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def authenticate(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Caller:
    """Who asks. Raises Unauthenticated."""
    if credentials is None:
        raise Unauthenticated("say who you are: Authorization: Bearer lbaas_…")
    return await runtime_of(request).tokens.caller(credentials.credentials)


Authenticated = Annotated[Caller, Depends(authenticate)]


def role(*allowed: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that lets only callers of these roles pass."""

    async def check(caller: Authenticated) -> Caller:
        if caller.role not in allowed:
            raise Forbidden(f"this is for {' and '.join(allowed)}, not for {caller.role}")
        return caller

    return check


def _reading(*allowed: Role) -> Callable[..., AsyncIterator[Work]]:
    async def read(
        request: Request, caller: Annotated[Caller, Depends(role(*allowed))]
    ) -> AsyncIterator[Work]:
        async with runtime_of(request).database.session() as session:
            yield Work(session, caller)

    return read


def _writing(*allowed: Role) -> Callable[..., AsyncIterator[Work]]:
    async def write(
        request: Request, caller: Annotated[Caller, Depends(role(*allowed))]
    ) -> AsyncIterator[Work]:
        runtime = runtime_of(request)
        async with runtime.database.session() as session:
            work = Work(session, caller)
            try:
                yield work
            except IntegrityError as error:
                raise as_refusal(error) from error
            request.state.revision = await work.commit()
        runtime.sender.send(work.notices)

    return write


# Scope "function": the commit happens before the answer is sent, so that a failed one can say so.
OPERATORS = (Role.ADMIN,)
TENANTS = (Role.ADMIN, Role.MEMBER)
READERS = (Role.ADMIN, Role.MEMBER, Role.READER)
AGENTS = (Role.NODE, Role.HOST)
OperatorReads = Annotated[Work, Depends(_reading(*OPERATORS), scope="function")]
OperatorWrites = Annotated[Work, Depends(_writing(*OPERATORS), scope="function")]
TenantReads = Annotated[Work, Depends(_reading(*READERS), scope="function")]
TenantWrites = Annotated[Work, Depends(_writing(*TENANTS), scope="function")]
OperatorCaller = Annotated[Caller, Depends(role(*OPERATORS))]
TenantCaller = Annotated[Caller, Depends(role(*READERS))]
AgentCaller = Annotated[Caller, Depends(role(*AGENTS))]


async def _shared(request: Request) -> Runtime:
    return runtime_of(request)


Shared = Annotated[Runtime, Depends(_shared)]


def deadline(timeout_s: float) -> float:
    """The event loop's time in *timeout_s* from now."""
    return asyncio.get_running_loop().time() + timeout_s
