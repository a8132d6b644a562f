"""Alembic, driven from inside: the server brings its own database to head when it starts."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import lbaas
from lbaas.persistence.database import Database

# Any constant will do; all replicas must use the same one.
MIGRATION_LOCK = 0x1BAA5


def scripts() -> Path:
    """Where the migrations are: inside the package when installed from a wheel, beside it in a clone."""
    package = Path(lbaas.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


async def to_head(database: Database) -> None:
    """The schema is at head. Replicas that start together take turns under an advisory lock."""
    await _run(database, lambda config: command.upgrade(config, "head"))


async def to_base(database: Database) -> None:
    """Nothing of ours is left in the database."""
    await _run(database, lambda config: command.downgrade(config, "base"))


async def at_head(database: Database) -> bool:
    """True if the schema is the one this program was written for."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    async with database.engine.connect() as connection:
        return await connection.run_sync(_revision) == head


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; *connection* is the one that the migrations shall use."""
    made = Config()
    made.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


async def _run(database: Database, action: Callable[[Config], None]) -> None:
    async with database.migrating() as connection:
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
        )
        await connection.run_sync(lambda sync: action(config(sync)))


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
