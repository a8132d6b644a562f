"""What a wake-up costs at the least: an ASGI application that lets requests wait, then gives all the same body."""

import asyncio
from typing import Any

_fired = asyncio.Event()
_body = b""


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """GET waits until somebody POSTs a body, and gives it."""
    global _body  # noqa: PLW0603 - one process, one scene
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        _body = (await receive())["body"]
        _fired.set()
    elif scope["path"] == "/wait":
        await _fired.wait()
    length = str(len(_body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": _body})
