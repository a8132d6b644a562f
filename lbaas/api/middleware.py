"""What every answer carries, whatever made it."""

import re

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from lbaas.api.problems import internal

REQUEST_ID = re.compile(r"[!-~]{1,128}")

log = structlog.get_logger()


class Edge:
    """Around the whole application.

    Each answer has ``X-Request-Id``, the client's own or a new one, and ``LBaaS-Revision`` if the request
    wrote. An unexpected error is logged once and answered as a problem.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        exchange = _Exchange(scope, send)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                await self.app(scope, receive, exchange.send)
            except Exception as error:  # noqa: BLE001 - the loop of a request: it reports
                log.error("unexpected error", path=scope["path"], exc_info=error)
                if not exchange.started:
                    await internal()(scope, receive, exchange.send)


class _Exchange:
    """One request's answer on its way out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid7())
        self.started = False
        self._state = scope["state"]
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            if self._state.get("revision") is not None:
                headers["LBaaS-Revision"] = str(self._state["revision"])
        await self._send(message)
