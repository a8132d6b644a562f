"""The least HTTP/1.1 client that can ask a server for figures: its own cost must not be in them."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self


class Connection:
    """One kept-alive connection, as the bearer of *token*."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = f"Host: lbaas\r\nAuthorization: Bearer {token}\r\n"

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The answer's body. Raises RuntimeError if it is an error."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        if body:
            more += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{more}\r\n".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        answer = await self._reader.readexactly(length)
        if int(head.split(" ", 2)[1]) >= 400:
            raise RuntimeError(answer.decode())
        return answer
