"""Signing in at the identity provider: there, and back with a code.

What has begun is in a cookie of the browser that began it: no link to our return page can sign anybody in.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lbaas.errors import LbaasError, Refused, Unauthenticated
from lbaas.portal import entrance
from lbaas.portal.visits import SIGN_IN, cookie_name, set_cookie
from lbaas.services.code_flow import CodeFlow, Grant, Pending
from lbaas.services.runtime import Runtime

RETURN = f"{SIGN_IN}/return"
COOKIE = "lbaas_sign_in"
LASTS_S = 600  # at the provider: a password, a second factor


async def begin(request: Request) -> Response:
    """The browser goes to the provider."""
    pending = Pending(entrance.own_page(request.query_params.get("next", entrance.HOME)))
    try:
        answer = RedirectResponse(await _flow(request).location(pending, _return_uri(request)), 303)
    except LbaasError as error:
        return _refused(request, str(error))
    set_cookie(request, answer, COOKIE, pending.text(), LASTS_S)
    return answer


async def finish(request: Request) -> Response:
    """A new session for whom the provider vouches for, or the sign-in again, with what is wrong."""
    flow = _flow(request)
    try:
        pending, code = _answered(request)
        grant = await flow.grant(pending, code, _return_uri(request))
        await entrance.require_person(_runtime(request), grant.bearer)
    except LbaasError as error:
        return _refused(request, error.detail if isinstance(error, Refused) else str(error))
    return await _admitted(request, grant, pending)


async def _admitted(request: Request, grant: Grant, pending: Pending) -> Response:
    answer = await entrance.admit(request, grant.text(), pending.onward)
    set_cookie(request, answer, COOKIE, "", 0)
    return answer


def _answered(request: Request) -> tuple[Pending, str]:
    """What this browser has begun, and the code for it. Raises Unauthenticated."""
    said = request.query_params
    pending = Pending.parse(request.cookies.get(cookie_name(request, COOKIE), ""))
    if pending is None or said.get("state") != pending.state:
        raise Unauthenticated("this sign-in was begun in another browser, or long ago: begin again")
    if "code" not in said:
        why = said.get("error_description") or said.get("error", "no code")
        raise Unauthenticated(f"the identity provider refuses: {why}")
    return pending, said["code"]


def _refused(request: Request, why: str) -> Response:
    answer = entrance.page(request, 422, provider_refusal=why)
    set_cookie(request, answer, COOKIE, "", 0)
    return answer


def _flow(request: Request) -> CodeFlow:
    flow = _runtime(request).code_flow
    if flow is None:
        raise HTTPException(404)
    return flow


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _return_uri(request: Request) -> str:
    """As the provider has it registered, and as the visitor's browser reaches us."""
    return f"{request.url.scheme}://{request.url.netloc}{RETURN}"
