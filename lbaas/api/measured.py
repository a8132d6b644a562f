"""Requests are counted and timed as they leave, by the route that they took."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lbaas.api.creations import PATH as VIPS
from lbaas.services.runtime import Runtime

# What a proxy says of a request whose client did not wait for the answer.
GIVEN_UP = 499


class Measured:
    """Around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime: Runtime | None = scope["app"].state.runtime if scope["type"] == "http" else None
        if runtime is None:
            await self.app(scope, receive, send)
            return
        status = GIVEN_UP

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            runtime.metrics.requests.answered(scope["method"], route_of(scope), status, seconds)


def route_of(scope: Scope) -> str:
    """As it is described, so that there are only so many; one that is none is like any other."""
    route = scope.get("route")
    if route is not None:
        # Routes of an included router know the path behind its prefix.
        inside = scope["path"].startswith("/v1/") and not route.path.startswith("/v1/")
        return f"/v1{route.path}" if inside else str(route.path)
    if scope["path"] == VIPS:  # mostly answered before any route is looked for
        return VIPS
    return "/portal" if scope["path"].startswith("/portal") else "none"
