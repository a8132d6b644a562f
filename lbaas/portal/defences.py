"""What keeps other sites, and other people's text in our pages, from acting in the visitor's name."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD"})

# Everything from this server, nothing inline. no-referrer would make browsers say "Origin: null" of a form.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOREIGN = (
    "This was not sent by a page of this portal, so nothing was done. If it was: a proxy before the server must "
    "pass on the Host header.\n"
)


def own_request(method: str, headers: Headers) -> bool:
    """True if a page of this very site sent the request, or it can change nothing.

    Browsers say ``Sec-Fetch-Site`` wherever the connection is trustworthy, and ``Origin`` with every form;
    no script can set either. A request with neither comes from no browser that we know, and is refused.
    """
    if method in SAFE_METHODS:
        return True
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    origin, host = headers.get("origin"), headers.get("host")
    return bool(origin and host) and (origin or "").partition("://")[2] == host


class Defences:
    """Around the portal: every answer has the headers, and what another site sent is not done."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if own_request(scope["method"], Headers(scope=scope)):
            await self.app(scope, receive, guarded)
        else:
            await PlainTextResponse(FOREIGN, 403)(scope, receive, guarded)
