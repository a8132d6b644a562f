"""Alembic, driven from inside: the server brings its own database to head when it starts."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Schema:
    """Which revision the database has, and which one this program was written for.

    Revisions are numbers in order. A later one only adds: so an older program works with it, which is what lets
    replicas be replaced one by one.
    """

    present: str | None
    head: str

    @property
    def usable(self) -> bool:
        return self.present is not None and self.present >= self.head

    @property
    def ahead(self) -> bool:
        return self.present is not None and self.present > self.head

    def __str__(self) -> str:
        return f"the schema is at {self.present or 'nothing'}, this program needs {self.head}"


async def schema(database: Database) -> Schema:
    """What the database has at this moment."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_schema)


async def to_head(database: Database) -> None:
    """The schema is at head, or later than this program knows.

    Replicas that start together take turns under an advisory lock.
    """
    await _run(database, _upgrade)


async def to_base(database: Database) -> None:
    """Nothing of ours is left in the database."""
    await _run(database, lambda connection: command.downgrade(config(connection), "base"))


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; *connection* is the one that the migrations shall use."""
    made = Config()
    made.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


async def _run(database: Database, action: Callable[[Connection], None]) -> None:
    async with database.migrating() as connection:
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
        )
        await connection.run_sync(action)


def _upgrade(connection: Connection) -> None:
    if not _schema(connection).ahead:
        command.upgrade(config(connection), "head")


def _schema(connection: Connection) -> Schema:
    present = MigrationContext.configure(connection).get_current_revision()
    return Schema(present, ScriptDirectory.from_config(config()).get_current_head() or "")
