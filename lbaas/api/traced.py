"""Requests as spans: there only where tracing is on."""

from contextlib import AbstractContextManager

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lbaas.api.measured import route_of
from lbaas.tracing import spans

# Agents' polls wait by design, and whoever watches asks often. What agents are given has spans of its own.
UNTRACED = ("/v1/agent/", "/healthz", "/readyz", "/metrics")


class Traced:
    """Around the whole application. Log lines of a request that is traced name its trace."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(scope, message["status"])
            await send(message)

        method = scope["method"]
        parent = Headers(scope=scope).get("traceparent")
        with spans.request(method, {"http.request.method": method}, parent), _named():
            await self.app(scope, receive, sending)


def _named() -> AbstractContextManager[None]:
    """Log lines have the trace's id, if there is one."""
    place = spans.current()
    bound = {} if place is None else {"trace_id": place.split("-")[1]}
    return structlog.contextvars.bound_contextvars(**bound)


def _note(scope: Scope, status: int) -> None:
    route = route_of(scope)
    facts = {
        "http.route": route,
        "http.response.status_code": status,
        "lbaas.request_id": scope["state"]["request_id"],
    }
    spans.note(facts, f"{scope['method']} {route}")
