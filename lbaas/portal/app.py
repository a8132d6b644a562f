"""The portal as an ASGI application, and where it is mounted."""

from collections.abc import Iterator
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from lbaas.client.api import ApiProblem
from lbaas.errors import RateLimited
from lbaas.portal import (
    assets,
    entrance,
    operators,
    overview,
    pages,
    pools,
    records,
    single_sign_on,
    vips,
    wizard,
)
from lbaas.portal.defences import Defences
from lbaas.portal.fleet import SHEETS
from lbaas.portal.gateway import in_process
from lbaas.portal.sheets import Sheet
from lbaas.portal.visits import Page, for_operators, see, signed_in, to_sign_in
from lbaas.services.runtime import Runtime

PREFIX = "/portal"


def mount(api: Starlette, runtime: Runtime | None) -> None:
    """*api* serves the portal at ``/portal``, over its own ``/v1``."""
    api.router.routes.append(Route(PREFIX, _home))
    api.router.routes.append(Mount(PREFIX, create(api, runtime)))


def create(api: ASGIApp, runtime: Runtime | None) -> Starlette:
    """The portal over *api*; without a runtime it can only be described."""
    app = Starlette(
        routes=[
            Route("/static/{version}/{name}", assets.serve),
            Route("/sign-in", entrance.show),
            Route("/sign-in", entrance.sign_in, methods=["POST"]),
            Route("/sign-in/provider", single_sign_on.begin),
            Route("/sign-in/return", single_sign_on.finish),
            Route("/sign-out", entrance.sign_out, methods=["POST"]),
            *_tenants(),
            *_operators(),
            *_records(),
        ],
        middleware=[Middleware(Defences)],
        exception_handlers={
            ApiProblem: _refused,
            RateLimited: _limited,
            HTTPException: _http,
            Exception: _unexpected,
        },
    )
    app.state.runtime = runtime
    app.state.http = in_process(api)
    return app


def _tenants() -> list[Route]:
    vip, listener = "/vips/{vip_id}", "/vips/{vip_id}/listeners/{listener_id}"
    pool, member = "/pools/{pool_id}", "/pools/{pool_id}/members/{member_id}"
    return [
        _reads("/", overview.show),
        _reads("/events", overview.events),
        _reads("/vips", vips.index),
        _does("/vips", wizard.order),
        _reads("/vips/new", wizard.show),
        _reads(vip, vips.show),
        _does(vip, vips.change),
        _reads(f"{vip}/usage", vips.usage),
        _reads(f"{vip}/removal", vips.ask_removal),
        _does(f"{vip}/removal", vips.remove),
        _does(f"{vip}/listeners", vips.add_listener),
        _does(f"{listener}/removal", vips.remove_listener),
        _reads("/pools", pools.index),
        _reads(pool, pools.show),
        _does(pool, pools.change),
        _does(f"{pool}/members", pools.add_member),
        _does(member, pools.change_member),
        _does(f"{member}/removal", pools.remove_member),
    ]


def _operators() -> list[Route]:
    reads = {
        "/nodes": operators.nodes,
        "/backend-hosts": operators.backend_hosts,
        "/tokens": operators.tokens,
        "/peers": operators.peers,
        "/address-pools": operators.address_pools,
        "/tenants": operators.tenants,
    }
    return [
        *(Route(path, for_operators(page)) for path, page in reads.items()),
        Route("/nodes/{node_id}", for_operators(operators.change_node), methods=["POST"]),
        Route(
            "/nodes/{node_id}/confirm-removal",
            for_operators(operators.confirm_removal),
            methods=["POST"],
        ),
    ]


def _records() -> list[Route]:
    """Operators' objects, each kind by its sheet."""
    return [route for sheet in SHEETS for route in _sheet(sheet)]


def _sheet(sheet: Sheet) -> Iterator[Route]:
    many = f"/{sheet.path}"
    one = f"{many}/{{object_id}}"
    yield Route(f"{many}/new", for_operators(records.new(sheet)))
    yield Route(many, for_operators(records.create(sheet)), methods=["POST"])
    yield Route(f"{one}/removal", for_operators(records.ask_removal(sheet)))
    yield Route(f"{one}/removal", for_operators(records.remove(sheet)), methods=["POST"])
    if sheet.changeable:
        yield Route(f"{one}/settings", for_operators(records.edit(sheet)))
        yield Route(f"{one}/settings", for_operators(records.change(sheet)), methods=["POST"])


def _reads(path: str, page: Page) -> Route:
    return Route(path, signed_in(page))


def _does(path: str, page: Page) -> Route:
    return Route(path, signed_in(page), methods=["POST"])


async def _home(_request: Request) -> Response:
    return see(f"{PREFIX}/")


async def _refused(request: Request, error: Exception) -> Response:
    problem = cast("ApiProblem", error)
    return to_sign_in(request) if problem.status == 401 else pages.refused(request, problem)


async def _limited(request: Request, error: Exception) -> Response:
    return pages.problem(request, 429, "Too many requests", str(error))


async def _http(request: Request, error: Exception) -> Response:
    problem = cast("HTTPException", error)
    if problem.status_code == 404:
        return pages.not_found(request)
    return pages.problem(request, problem.status_code, "That did not work", problem.detail)


async def _unexpected(request: Request, _error: Exception) -> Response:
    """What is wrong is in the log, under the request's id. A page that refreshes itself tries again."""
    detail = (
        "The server could not do this. Try again; if it stays so, tell its operator the request."
    )
    return pages.problem(request, 500, "That did not work", detail)
