"""Who is signed in, and what the API takes from him: a token, or a JWT that is renewed when it has run out."""

import asyncio
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from lbaas.errors import Unauthenticated
from lbaas.services import sessions
from lbaas.services.code_flow import Grant
from lbaas.services.runtime import Runtime
from lbaas.services.work import Caller

# Providers take a refresh token once: requests of one session renew one after the other.
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def of(runtime: Runtime, cookie: str, *, active: bool) -> tuple[Caller, str]:
    """The visitor with *cookie* and his bearer token. Raises Unauthenticated if the session has ended."""
    grant = await _kept(runtime, cookie, active=active)
    try:
        return await runtime.caller(grant.bearer), grant.bearer
    except Unauthenticated:
        if grant.refresh is None or runtime.code_flow is None:
            raise
    async with _turns.setdefault(cookie, asyncio.Lock()):
        return await _renewed(runtime, cookie)


async def _renewed(runtime: Runtime, cookie: str) -> tuple[Caller, str]:
    grant = await _kept(runtime, cookie, active=False)
    try:  # another request may have renewed it meanwhile
        return await runtime.caller(grant.bearer), grant.bearer
    except Unauthenticated:
        if grant.refresh is None or runtime.code_flow is None:
            raise
    fresh = await runtime.code_flow.renewed(grant.refresh)
    caller = await runtime.caller(fresh.bearer)
    await sessions.replace(runtime.database, cookie, fresh.text())
    return caller, fresh.bearer


async def _kept(runtime: Runtime, cookie: str, *, active: bool) -> Grant:
    kept = await sessions.token(runtime.database, cookie, datetime.now(UTC), active=active)
    if kept is None:
        raise Unauthenticated("the session has ended")
    return Grant.parse(kept)
