import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from lbaas.persistence import migrate
from lbaas.persistence.database import Database
from lbaas.persistence.ledger import tables as ledger_tables
from lbaas.persistence.models import Base

pytestmark = pytest.mark.anyio


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def drift(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


async def test_from_empty_to_head_and_back_leaves_nothing(empty_database: Database) -> None:
    await migrate.to_head(empty_database)
    async with empty_database.engine.connect() as connection:
        assert await connection.run_sync(tables) == set(Base.metadata.tables)
        assert ledger_tables.usage_hour.name in Base.metadata.tables
    assert (await migrate.schema(empty_database)).usable

    await migrate.to_base(empty_database)
    async with empty_database.engine.connect() as connection:
        assert await connection.run_sync(tables) == set()
    assert not (await migrate.schema(empty_database)).usable


async def test_a_later_schema_than_this_program_knows_is_left_as_it_is(database: Database) -> None:
    async with database.migrating() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await migrate.to_head(database)

    found = await migrate.schema(database)
    assert (found.present, found.usable, found.ahead) == ("9999", True, True)


async def test_models_and_head_agree(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(drift) == []
