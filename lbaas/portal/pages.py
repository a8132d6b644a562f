"""Templates to answers."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from lbaas.client.api import ApiProblem
from lbaas.portal import assets, looks
from lbaas.portal.faults import Faults
from lbaas.portal.visits import Visit, full_path, shown_path

# The part of a page that refreshes itself.
LIVE = "live"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lbaas.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(looks.FILTERS)
    environment.globals.update(asset=assets.url, **looks.GLOBALS)
    # A global, since an import at the top of a page is not seen when one block of it is rendered alone.
    environment.globals["ui"] = environment.get_template("parts.html").module
    return environment


_PAGES = _environment()


def show(visit: Visit, name: str, status: int = 200, /, **values: Any) -> Response:
    """The page *name*; only its live part if that is what was asked for."""
    context = {"faults": Faults(), **values, **_common(visit)}
    template = _PAGES.get_template(name)
    if visit.refreshes and LIVE in template.blocks:
        block = template.blocks[LIVE]
        return HTMLResponse("".join(block(template.new_context(context))), status)
    return HTMLResponse(template.render(context), status)


def plain(request: Request, name: str, status: int = 200, /, **values: Any) -> Response:
    """A page for whoever comes, signed in or not."""
    context = {"refusal": None, "here": request.url.path, **values}
    return HTMLResponse(_PAGES.get_template(name).render(context), status)


def problem(request: Request, status: int, title: str, detail: str) -> Response:
    """A page that says what is wrong; within a page that refreshes itself, a notice that tries again."""
    name = "trouble.html" if "hx-request" in request.headers else "problem.html"
    return plain(
        request,
        name,
        status,
        status=status,
        title=title,
        detail=detail,
        request_id=request.state.request_id,
        full_path=shown_path(request),
    )


def refused(request: Request, error: ApiProblem) -> Response:
    """What the API said, as a page. An id that is none of ours, or none at all, is a page that is not there."""
    parameters = [bad.get("parameter", "") for bad in error.problem.get("problems", ())]
    if error.status == HTTPStatus.NOT_FOUND or any(each.endswith("_id") for each in parameters):
        return not_found(request)
    return problem(
        request, error.status, error.problem.get("title", ""), error.problem.get("detail", "")
    )


def not_found(request: Request) -> Response:
    return problem(request, 404, "There is no such page", "It may be gone, or was never yours.")


def fresh_key() -> str:
    """For a form that makes something: sent twice it does so once."""
    return uuid4().hex


def _common(visit: Visit) -> dict[str, Any]:
    return {
        "visit": visit,
        "here": visit.request.url.path,
        "full_path": full_path(visit.request),
        "now": datetime.now(UTC),
    }
