"""What a wake-up costs at the least: an ASGI application that lets requests wait, then gives all the same body."""

import asyncio
from typing import Any


class Bare:
    """GET waits until somebody POSTs a body, and gives it."""

    def __init__(self) -> None:
        self._fired: asyncio.Future[bytes] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        fired = self._fired = self._fired or asyncio.get_running_loop().create_future()
        if scope["method"] == "POST":
            fired.set_result((await receive())["body"])
            self._fired = None
        body = await asyncio.shield(fired)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


app = Bare()
