"""Queries that are put together once and run by the driver itself."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

_DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate its dialects


class Prepared:
    """A query of SQLAlchemy's, as text. Its rows are the driver's: a word of a vocabulary is plain text."""

    def __init__(self, query: Select[*tuple[Any, ...]]) -> None:
        compiled = query.compile(dialect=_DIALECT)
        self._text = compiled.string
        self._names = tuple(compiled.positiontup or ())
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}

    async def rows(self, driver: asyncpg.Connection, **given: object) -> Sequence[asyncpg.Record]:
        """All rows, with *given* for the parameters that the query leaves open."""
        values = self._fixed | given
        rows: Sequence[asyncpg.Record] = await driver.fetch(
            self._text, *(values[name] for name in self._names)
        )
        return rows
