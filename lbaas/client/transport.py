"""Requests and answers as httpx has them; what both clients share of it."""

from typing import Any

import httpx

from lbaas import __version__
from lbaas.client.exchange import Answer, Lost, Request

# Nothing was sent when one of these is raised.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def settings(url: str, token: str, timeout_s: float) -> dict[str, Any]:
    """Arguments of httpx's clients."""
    return {
        "base_url": url,
        "headers": {"Authorization": f"Bearer {token}", "User-Agent": f"lbaas/{__version__}"},
        "timeout": timeout_s,
    }


def options(request: Request, timeout_s: float) -> dict[str, Any]:
    """Arguments of httpx's ``request``; reading waits as long as the server may hold the request, and more."""
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "json": request.body,
        "headers": dict(request.headers),
        "timeout": httpx.Timeout(timeout_s, read=timeout_s + request.hold_s),
    }


def answered(response: httpx.Response) -> Answer:
    """What the server said."""
    return Answer(
        response.status_code, dict(response.headers), response.content, response.reason_phrase
    )


def lost(error: httpx.TransportError) -> Lost:
    """No answer came."""
    why = str(error) or type(error).__name__  # timeouts have no text
    return Lost(why, sent=not isinstance(error, _UNSENT))
