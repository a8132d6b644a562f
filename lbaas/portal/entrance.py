"""Signing in by a token, and out."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from lbaas.domain.terms import Role
from lbaas.errors import Forbidden, Refused
from lbaas.portal import pages
from lbaas.portal.visits import COOKIE, SIGN_IN, cookie_name, form, see, set_cookie
from lbaas.services import sessions
from lbaas.services.runtime import Runtime

HOME = "/portal/"
PEOPLE = (Role.ADMIN, Role.MEMBER, Role.READER)


async def show(request: Request) -> Response:
    """The form that asks for a token, and the way to the identity provider, if there is one."""
    return page(request)


async def sign_in(request: Request) -> Response:
    """A new session, whatever there was before; the token never leaves the server again."""
    given = await form(request)
    token, onward = given.get("token", ""), own_page(given.get("next", HOME))
    try:
        await require_person(request.app.state.runtime, token)
    except Refused as refusal:
        return page(request, 422, onward=onward, refusal=refusal.detail)
    return await admit(request, token, onward)


async def sign_out(request: Request) -> Response:
    """The session is over on every replica, and the browser forgets it."""
    await _end(request)
    answer = see(SIGN_IN)
    set_cookie(request, answer, COOKIE, "", 0)
    # What other pages of ours a shared computer still shows is gone with the session.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def admit(request: Request, token: str, onward: str) -> Response:
    """A new session in which *token* is used; the one before, if there was one, has ended."""
    runtime: Runtime = request.app.state.runtime
    await _end(request)
    answer = see(onward)
    cookie = await sessions.begin(runtime.database, token, datetime.now(UTC))
    set_cookie(request, answer, COOKIE, cookie, int(sessions.LASTS.total_seconds()))
    return answer


async def require_person(runtime: Runtime, token: str) -> None:
    """Raises Unauthenticated, or Forbidden of an agent's token."""
    caller = await runtime.caller(token)
    if caller.role not in PEOPLE:
        raise Forbidden(f"this token is for a {caller.role} agent, not for people")


def page(
    request: Request,
    status: int = 200,
    *,
    onward: str | None = None,
    refusal: str | None = None,
    provider_refusal: str | None = None,
) -> Response:
    """The sign-in, with what was wrong with the last attempt."""
    flow = request.app.state.runtime.code_flow
    return pages.plain(
        request,
        "sign-in.html",
        status,
        onward=onward or own_page(request.query_params.get("next", HOME)),
        refusal=refusal,
        provider=None if flow is None else flow.registration.name,
        provider_refusal=provider_refusal,
    )


def own_page(path: str) -> str:
    """*path* if it is a page of ours: a link to the sign-in can't lead elsewhere."""
    return path if path.startswith(HOME) and "\\" not in path and "//" not in path else HOME


async def _end(request: Request) -> None:
    runtime: Runtime = request.app.state.runtime
    cookie = request.cookies.get(cookie_name(request))
    if cookie is not None:
        await sessions.end(runtime.database, cookie)
