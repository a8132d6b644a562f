"""Signing in and out."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from lbaas.domain.terms import Role
from lbaas.errors import Forbidden, Refused
from lbaas.portal import pages
from lbaas.portal.visits import SIGN_IN, cookie_name, form, see
from lbaas.services import sessions
from lbaas.services.runtime import Runtime

HOME = "/portal/"
PEOPLE = (Role.ADMIN, Role.MEMBER, Role.READER)


async def show(request: Request) -> Response:
    """The form that asks for a token."""
    onward = _own_page(request.query_params.get("next", HOME))
    return pages.plain(request, "sign-in.html", onward=onward)


async def sign_in(request: Request) -> Response:
    """A new session, whatever there was before; the token never leaves the server again."""
    runtime: Runtime = request.app.state.runtime
    given = await form(request)
    token, onward = given.get("token", ""), _own_page(given.get("next", HOME))
    try:
        await _require_person(runtime, token)
    except Refused as refusal:
        return pages.plain(request, "sign-in.html", 422, onward=onward, refusal=refusal.detail)
    await _end(request)
    answer = see(onward)
    cookie = await sessions.begin(runtime.database, token, datetime.now(UTC))
    _set_cookie(request, answer, cookie, int(sessions.LASTS.total_seconds()))
    return answer


async def sign_out(request: Request) -> Response:
    """The session is over on every replica, and the browser forgets it."""
    await _end(request)
    answer = see(SIGN_IN)
    _set_cookie(request, answer, "", 0)
    # What other pages of ours a shared computer still shows is gone with the session.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def _require_person(runtime: Runtime, token: str) -> None:
    caller = await runtime.caller(token)
    if caller.role not in PEOPLE:
        raise Forbidden(f"this token is for a {caller.role} agent, not for people")


async def _end(request: Request) -> None:
    runtime: Runtime = request.app.state.runtime
    cookie = request.cookies.get(cookie_name(request))
    if cookie is not None:
        await sessions.end(runtime.database, cookie)


def _set_cookie(request: Request, answer: Response, cookie: str, lasts_s: int) -> None:
    """Scripts can't read it, other sites' forms don't carry it, and where there is https it never leaves it."""
    answer.set_cookie(
        cookie_name(request),
        cookie,
        max_age=lasts_s,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _own_page(path: str) -> str:
    """*path* if it is a page of ours: a link to the sign-in can't lead elsewhere."""
    return path if path.startswith(HOME) and "\\" not in path and "//" not in path else HOME
