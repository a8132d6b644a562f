"""Simulated agents: as little as speaks HTTP, so that what is measured is the server. And what wakes them."""

import asyncio
import json
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import asyncpg

from lbaas.persistence.notices import CHANNEL, NOTIFY, Notice
from lbaas.services.work import CHANGE

CLUSTER = UUID(int=1)
CHANGE_POOLS = """
    WITH chosen AS (SELECT id FROM pool ORDER BY id LIMIT $1), changed AS (
        UPDATE member SET weight = weight % 60000 + 1 WHERE pool_id IN (SELECT id FROM chosen)
    ) INSERT INTO change (cluster_id, kind, object_id) SELECT $2, 'pool', id FROM chosen
"""


@dataclass
class Poller:
    """One kept connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str

    @classmethod
    async def connect(cls, port: int, token: str) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        return cls(reader, writer, f"Host: x\r\nAuthorization: Bearer {token}\r\n")

    def ask(self, path: str) -> None:
        self.writer.write(
            f"GET {path} HTTP/1.1\r\n{self.head}Accept-Encoding: zstd\r\n\r\n".encode()
        )

    def post(self, path: str, body: bytes) -> None:
        head = f"{self.head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(f"POST {path} HTTP/1.1\r\n{head}".encode() + body)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body

    async def until_newer(self, path: str) -> None:
        """Polls as an agent does, for as long as there is nothing newer."""
        while (await self.get(path))[0] == 304:
            pass

    async def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.ask(path)
        return await self.answer()


async def commit(connection: asyncpg.Connection) -> float:
    """One pool changed, and told as a server tells it; the loop's time of the commit."""
    loop = asyncio.get_running_loop()
    async with connection.transaction():
        await connection.execute(CHANGE_POOLS, 1, CLUSTER)
        revision = await connection.fetchval("SELECT pg_current_xact_id()::text")
    at = loop.time()
    await tell(connection, CLUSTER, revision)
    return at


def path(since: str, timeout_s: float) -> str:
    return f"/v1/agent/state?since={since}&timeout_s={timeout_s}"


async def tell(connection: asyncpg.Connection, subject: object, revision: str) -> None:
    """Servers hear of a change as one of them tells it."""
    payloads = [Notice(CHANGE, str(subject), int(revision)).encode()]
    values = NOTIFY.values({"channel": CHANNEL, "payloads": json.dumps(payloads)})
    await connection.execute(NOTIFY.sql, *values)
