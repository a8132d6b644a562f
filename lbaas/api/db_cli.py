"""``lbaas db``: the schema of the database, apart from the server's start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from lbaas.config import ServerSettings
from lbaas.errors import DatabaseUnusable
from lbaas.persistence import migrate
from lbaas.persistence.database import Database

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

DatabaseUrl = Annotated[
    str | None, typer.Option(help="postgresql://…; LBAAS_DATABASE_URL if left out.")
]


@app.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the schema to what this program needs; servers may go on meanwhile."""
    asyncio.run(_upgrade(database_url))


@app.command()
def check(database_url: DatabaseUrl = None) -> None:
    """Say which schema the database has; exit 1 if it must be upgraded first."""
    asyncio.run(_check(database_url))


async def _upgrade(database_url: str | None) -> None:
    async with _database(database_url) as database:
        before = await migrate.schema(database)
        await migrate.to_head(database)
        after = await migrate.schema(database)
    print(f"{before.present or 'nothing'} -> {after.present}")


async def _check(database_url: str | None) -> None:
    async with _database(database_url) as database:
        found = await migrate.schema(database)
    if not found.usable:
        raise DatabaseUnusable(f"{found}: run lbaas db upgrade")
    print(found)


@asynccontextmanager
async def _database(database_url: str | None) -> AsyncIterator[Database]:
    given: dict[str, Any] = {} if database_url is None else {"database_url": database_url}
    settings = ServerSettings(**given)
    if settings.database_url is None:
        raise DatabaseUnusable("say which database: --database-url, or LBAAS_DATABASE_URL")
    database = Database(settings.database_url)
    try:
        await database.require()
        yield database
    finally:
        await database.close()
