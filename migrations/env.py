"""Alembic's entry. The server hands in a connection; the alembic command line uses LBAAS_DATABASE_URL."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from lbaas.config import ServerSettings
from lbaas.persistence.database import Database
from lbaas.persistence.ledger import tables  # the last module that adds tables to the metadata


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=tables.Base.metadata, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_by_settings() -> None:
    url = ServerSettings().database_url
    if url is None:
        raise SystemExit("set LBAAS_DATABASE_URL: the alembic command line starts no Postgres")
    async with Database(url).migrating() as connection:
        await connection.run_sync(migrate)


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(migrate_by_settings())
