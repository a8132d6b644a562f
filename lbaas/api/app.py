"""The ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

import lbaas
from lbaas.api import examples, problems
from lbaas.api.creations import Creations
from lbaas.api.measured import Measured
from lbaas.api.middleware import Edge
from lbaas.api.routers import (
    addresses,
    agent,
    clusters,
    enrolment,
    epoch,
    events,
    health,
    pools,
    tenants,
    usage,
    vips,
)
from lbaas.api.traced import Traced
from lbaas.portal.app import mount as mount_portal
from lbaas.services.runtime import Runtime
from lbaas.tracing import spans
from lbaas.wire.fields import Removal
from lbaas.wire.usage import UsageReports

TAGS = [
    {
        "name": "tenant",
        "description": "A tenant's own: VIPs, listeners, pools, members, events, usage.",
    },
    {"name": "operator", "description": "Who serves: tenants, tokens, clusters, addresses, hosts."},
    {"name": "agent", "description": "What the agents on nodes and backend hosts speak."},
    {"name": "health", "description": "For whoever watches or routes to a replica."},
]


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """The API over *runtime*; without one it can only describe itself."""
    app = FastAPI(
        title="lbaas",
        version=lbaas.__version__,
        description=lbaas.__doc__,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    v1 = APIRouter(prefix="/v1")
    # Routes are tried in this order: what is asked most comes first.
    for module in (
        vips,
        pools,
        events,
        usage,
        tenants,
        clusters,
        addresses,
        agent,
        enrolment,
        epoch,
    ):
        v1.include_router(module.router)
    v1.include_router(tenants.own)
    app.include_router(v1)
    app.include_router(health.router)
    mount_portal(app, runtime)
    app.add_middleware(Creations)
    app.add_middleware(Edge)
    app.add_middleware(Measured)
    if spans.enabled():
        app.add_middleware(Traced)
    problems.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's own way to extend it
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    runtime: Runtime | None = app.state.runtime
    if runtime is None:
        yield
        return
    async with runtime.running():
        yield


def _operation_id(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description, and the schema of the problems that :func:`problems.responses` refers to."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=[{"url": "/", "description": "Wherever this document was read from."}],
            tags=TAGS,
        )
        schemas = described["components"]["schemas"]
        problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        for model in (Removal, UsageReports):
            named = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(named.pop("$defs"))
            schemas[model.__name__] = named
        for path in described["paths"].values():
            for method, operation in path.items():
                _describe_dry_run(method, operation)
                operation.setdefault("security", [])  # none is needed where none is named
        examples.show(described)
        app.openapi_schema = described
    return app.openapi_schema


def _describe_dry_run(method: str, operation: dict[str, Any]) -> None:
    """A dry run is answered 200: the object as it would be, or what would be removed."""
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    answers = operation["responses"]
    if "dry_run" not in parameters or "200" in answers:
        return
    schema = {"$ref": "#/components/schemas/Removal"}
    if method == "post":
        schema = answers["201"]["content"]["application/json"]["schema"]
    answers["200"] = {
        "description": "Dry run: nothing was changed",
        "content": {"application/json": {"schema": schema}},
    }
