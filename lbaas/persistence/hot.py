"""Statements that are sent as they are, past SQLAlchemy, each a transaction of its own.

For the few that make most of the load: what SQLAlchemy does around a statement costs as much of the server's time as
the statement costs Postgres. Decision record: hot paths.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

_PLACE = re.compile(r"(?<![:\w]):([a-z_]+)")


class Statement:
    """SQL with places like ``:name`` for values."""

    def __init__(self, sql: str) -> None:
        self._names = list(dict.fromkeys(_PLACE.findall(sql)))
        numbers = {name: f"${number}" for number, name in enumerate(self._names, 1)}
        self.sql = _PLACE.sub(lambda match: numbers[match[1]], sql)

    def values(self, given: dict[str, object]) -> list[object]:
        """*given*, in the order in which the statement takes them."""
        return [given[name] for name in self._names]


class Connections:
    """A few connections that are kept: as many as ask at once, and no more than *limit*."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], limit: int) -> None:
        self._connect = connect
        self._turns = asyncio.Semaphore(limit)
        self._idle: list[asyncpg.Connection] = []

    async def row(self, statement: Statement, **values: object) -> asyncpg.Record | None:
        """The first row that *statement* answers; it is committed."""
        async with self.connection() as connection:
            return await connection.fetchrow(statement.sql, *statement.values(values))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """One for the caller alone."""
        async with self._turns:
            connection = await self._one()
            try:
                yield connection
            except BaseException:
                # Cancelled in mid-statement, or worse: nobody knows what it would say next.
                connection.terminate()
                raise
            self._idle.append(connection)

    async def close(self) -> None:
        """None is open."""
        while self._idle:
            await self._idle.pop().close()

    async def _one(self) -> asyncpg.Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._connect()
