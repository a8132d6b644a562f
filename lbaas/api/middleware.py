"""What every answer carries, whatever made it."""

import re
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from lbaas.api.problems import internal, unreachable
from lbaas.api.route import REPLAYED, REVISION
from lbaas.persistence.outages import is_outage

MAX_BODY_BYTES = 1 << 20  # a VIP with thousands of members fits
# A minute of a hundred thousand listeners; only an agent's are read at all, see lbaas.api.bodies.
LARGER_BODY_BYTES = {"/v1/agent/usage": 16 << 20}
REQUEST_ID = re.compile(r"[!-~]{1,128}")

log = structlog.get_logger()


def request_id(headers: Mapping[str, str]) -> str:
    """The client's own, if it names its request, or a new one."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else str(uuid7())


class Edge:
    """Around the whole application, and what stands before its routes.

    Each answer has ``X-Request-Id``, the client's own or a new one. A body above the limit is not read. An
    unexpected error is logged once and answered as a problem.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        exchange = _Exchange(scope, receive, send)
        scope["state"]["request_id"] = exchange.request_id
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                await self.app(scope, exchange.receive, exchange.send)
            except Exception as error:  # the edge: whatever it was, the client gets a problem
                away = is_outage(error)
                if not away:
                    log.exception("unexpected error", path=scope["path"])
                if not exchange.started:
                    answer = unreachable(error) if away else internal()
                    await answer(scope, receive, exchange.send)


class _Exchange:
    """One request on its way in, and its answer on the way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = request_id(Headers(scope=scope))
        self.started = False
        self._receive = receive
        self._send = send
        self._writes = scope["method"] != "GET"
        self._asked = {"method": scope["method"], "path": scope["path"]}
        self._received_bytes = 0
        self._most_bytes = LARGER_BODY_BYTES.get(scope["path"], MAX_BODY_BYTES)

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._most_bytes:
            raise HTTPException(413, f"the body is larger than {self._most_bytes} bytes")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            if self._writes and REVISION in headers and REPLAYED not in headers:
                log.info("written", **self._asked, revision=int(headers[REVISION]))
        await self._send(message)
