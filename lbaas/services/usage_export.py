"""All of an answer about usage, as CSV for spreadsheets or as NDJSON for programs."""

import csv
import io
from collections.abc import AsyncIterator, Iterable

from lbaas.domain.usage import Question
from lbaas.persistence.database import Database
from lbaas.persistence.ledger import reading
from lbaas.persistence.ledger.reading import Place
from lbaas.services import usage
from lbaas.wire.ledger import Usage

EXPORT_PAGE = 5_000

_HEAD = list(Usage.model_fields)


async def lines(database: Database, question: Question | None, form: str) -> AsyncIterator[bytes]:
    """All of the answer as CSV or NDJSON. Page by page: a slow reader holds no transaction open."""
    if form == "csv":
        yield _csv([_HEAD])
    after: Place | None = None
    while question is not None:
        async with database.autocommit() as session:
            rows = await usage.some(session, question, after, EXPORT_PAGE)
            items = await usage.shown(session, question, rows)
        if items:
            yield _csv(map(_cells, items)) if form == "csv" else _ndjson(items)
        if len(rows) < EXPORT_PAGE:
            return
        after = reading.place_of(rows[-1], question)


def _cells(item: Usage) -> Iterable[object]:
    return item.model_dump(mode="json").values()


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _ndjson(items: Iterable[Usage]) -> bytes:
    return b"".join(item.model_dump_json().encode() + b"\n" for item in items)
