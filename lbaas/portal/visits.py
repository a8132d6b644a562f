"""One request of somebody who is signed in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lbaas.domain.terms import Role
from lbaas.errors import Unauthenticated
from lbaas.portal import bearers
from lbaas.portal.gateway import Gateway
from lbaas.services.runtime import Runtime
from lbaas.services.work import Caller

Form = ImmutableMultiDict[str, str]

SIGN_IN = "/portal/sign-in"
COOKIE = "lbaas_session"
# A browser takes a cookie of such a name only over https, for the whole host, from the host itself.
SECURE = "__Host-"


@dataclass(frozen=True)
class Visit:
    """Who asks for which page, and the API in his name."""

    request: Request
    caller: Caller
    api: Gateway

    @property
    def operator(self) -> bool:
        return self.caller.role is Role.ADMIN

    @property
    def may_write(self) -> bool:
        return self.caller.role is not Role.READER

    @property
    def refreshes(self) -> bool:
        """A part of a page that is already shown is asked for."""
        return is_refresh(self.request)

    def named(self, parameter: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[parameter])

    def asked(self, parameter: str) -> str:
        """A part of the query, empty if it is not there."""
        return self.request.query_params.get(parameter, "")


Page = Callable[[Visit], Awaitable[Response]]


def is_refresh(request: Request) -> bool:
    return "hx-request" in request.headers


def signed_in(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """*page* for whoever is signed in; others are led to the sign-in and back."""

    @wraps(page)
    async def answer(request: Request) -> Response:
        try:
            visit = await _visit(request)
        except Unauthenticated:
            return to_sign_in(request)
        return await page(visit)

    return answer


def for_operators(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """*page* for operators; for others there is no such page."""

    async def answer(visit: Visit) -> Response:
        if not visit.operator:
            raise HTTPException(404)
        return await page(visit)

    return signed_in(answer)


async def _visit(request: Request) -> Visit:
    runtime: Runtime = request.app.state.runtime
    http: httpx.AsyncClient = request.app.state.http
    cookie = request.cookies.get(cookie_name(request))
    if cookie is None:
        raise Unauthenticated("nobody is signed in")
    caller, bearer = await bearers.of(runtime, cookie, active=not is_refresh(request))
    return Visit(request, caller, Gateway(http, bearer, request.state.request_id))


def to_sign_in(request: Request) -> Response:
    """Leads to the sign-in. A part of a page can't be redirected: the whole page is."""
    if is_refresh(request):
        return Response(headers={"HX-Redirect": SIGN_IN})
    if request.method != "GET":
        return see(SIGN_IN)
    return see(f"{SIGN_IN}?next={quote(full_path(request), safe='')}")


def full_path(request: Request) -> str:
    """What was asked for, query included."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def shown_path(request: Request) -> str:
    """The page that the visitor sees: the one asked for, or where he pressed a button of it."""
    if request.method == "GET":
        return full_path(request)
    shown = urlsplit(request.headers.get("hx-current-url", ""))
    return shown.path + (f"?{shown.query}" if shown.query else "")


def see_again(request: Request, path: str) -> Response:
    """As :func:`see`, with the query that *path* is shown with."""
    shown = shown_path(request)
    return see(shown if shown.partition("?")[0] == path else path)


def see(path: str) -> Response:
    """What was sent is done; the browser goes on to *path*."""
    return RedirectResponse(path, 303)


def cookie_name(request: Request, name: str = COOKIE) -> str:
    return SECURE + name if request.url.scheme == "https" else name


def set_cookie(request: Request, answer: Response, name: str, value: str, lasts_s: int) -> None:
    """Scripts can't read it, other sites' forms don't carry it, and where there is https it never leaves it."""
    answer.set_cookie(
        cookie_name(request, name),
        value,
        max_age=lasts_s,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


async def form(request: Request) -> Form:
    """The fields of a form that was sent, stripped of the space around them."""
    body = (await request.body()).decode(errors="replace")
    return Form([(name, value.strip()) for name, value in parse_qsl(body, keep_blank_values=True)])
