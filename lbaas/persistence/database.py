"""The one way to Postgres: asyncpg, for queries, migrations and LISTEN alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from lbaas.errors import DatabaseUnusable
from lbaas.persistence.hot import Connections
from lbaas.persistence.outages import DATABASE_ERRORS
from lbaas.persistence.postgres_programs import MINIMUM_MAJOR
from lbaas.persistence.servers import Servers

# An open write transaction holds the feed's horizon back for every reader, so none may linger.
SESSION_SETTINGS = {
    "application_name": "lbaas",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
}
# Less than the time after which Postgres looks for a deadlock (1 s): who waits so long gives way before.
HOT_SETTINGS = {**SESSION_SETTINGS, "lock_timeout": "500ms"}
HOT_CONNECTIONS = 8  # enough to share the log's writes; more only wait for each other's locks
READING_CONNECTIONS = 4  # a state is loaded once for all who wait for it
MIGRATION_SETTINGS = {"application_name": "lbaas-migration"}


class Database:
    """Connections to the Postgres that *dsn* names, in libpq's URL form.

    Of several servers to the one that is *wanted*, a word of libpq's for ``target_session_attrs``.
    """

    def __init__(self, dsn: str, pool_size: int = 10, wanted: str = "read-write") -> None:
        self.dsn = dsn.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._servers = Servers(self.dsn, wanted)
        self.engine = self._engine(SESSION_SETTINGS, pool_size=pool_size, max_overflow=0)
        self.hot = Connections(self._connect_hot, HOT_CONNECTIONS)
        self._reading = Connections(self.connect, READING_CONNECTIONS)
        # The same pool, and SQLAlchemy begins no transaction of its own.
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def session(self) -> AsyncSession:
        """A session that keeps what it loaded after commit; close it, or use it as a context."""
        return AsyncSession(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """All that is read inside is of one instant, and nothing can be written.

        Past SQLAlchemy, whose way to a connection and back takes longer than what agents wait for.
        """
        async with (
            self._reading.connection() as driver,
            driver.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield driver

    def autocommit(self) -> AsyncSession:
        """A session whose statements are each a transaction: to read, none needs to begin and end."""
        return AsyncSession(self._autocommit, expire_on_commit=False)

    def connections(self) -> dict[str, int]:
        """How many of the pool's connections are in use, and how many wait to be."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        return {"used": pool.checkedout(), "idle": pool.checkedin()}

    async def connect(self) -> asyncpg.Connection:
        """A bare connection outside the pools."""
        return await self._servers.connect(SESSION_SETTINGS, 5)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """A connection without time limits, in a transaction that commits at the end."""
        engine = self._engine(MIGRATION_SETTINGS, poolclass=NullPool)
        try:
            async with engine.begin() as connection:
                yield connection
        finally:
            await engine.dispose()

    async def require(self) -> None:
        """Postgres is there and new enough. Raises DatabaseUnusable."""
        try:
            connection = await self.connect()
        except (*DATABASE_ERRORS, ValueError) as error:
            raise DatabaseUnusable(f"can't connect to Postgres: {error}") from error
        version = connection.get_server_version()
        await connection.close()
        if version.major < MINIMUM_MAJOR:
            raise DatabaseUnusable(f"Postgres is {version.major}, and {MINIMUM_MAJOR} is needed")

    async def close(self) -> None:
        """Every pooled connection is closed."""
        await self.hot.close()
        await self._reading.close()
        await self.engine.dispose()

    async def _connect_hot(self) -> asyncpg.Connection:
        return await self._servers.connect(HOT_SETTINGS, 10)

    def _engine(self, settings: dict[str, str], **options: object) -> AsyncEngine:
        """asyncpg reads the DSN itself, so that every option libpq knows (sslmode, host=/dir) works."""

        async def connect() -> asyncpg.Connection:
            return await self._servers.connect(settings, 10)

        return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)
