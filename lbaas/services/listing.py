"""Which objects a list shows, and in which order.

A page begins after the last object of the page before, whatever was made or removed meanwhile: an object
that was there all the time is shown once.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, bindparam, cast, not_, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from lbaas.domain import selectors
from lbaas.domain.terms import Progress
from lbaas.errors import FieldProblem, Invalid
from lbaas.persistence import progress
from lbaas.persistence.models import Identified

L = TypeVar("L", bound=Identified)
Listed = TypeVar("Listed")


class Sort(StrEnum):
    """The order of a list; ties are broken by age."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    NAME = "name"
    NAME_BACKWARDS = "-name"

    @property
    def descending(self) -> bool:
        return self.startswith("-")

    @property
    def by_name(self) -> bool:
        return self.endswith("name")


@dataclass(frozen=True)
class Window:
    """The page that is asked for."""

    limit: int = 100
    cursor: str | None = None
    sort: Sort = Sort.OLDEST

    def over(self, query: Select[L], model: type[L]) -> Select[L]:
        """*query*'s rows after the cursor, in order, and one more than the page has."""
        columns = self.key(model)
        order = [column.desc() if self.sort.descending else column.asc() for column in columns]
        query = query.order_by(*order).limit(self.limit + 1)
        if self.cursor is None:
            return query
        last = tuple_(*self._decoded(self.cursor))
        here = tuple_(*columns)
        return query.where(here < last if self.sort.descending else here > last)

    def cut(self, rows: list[Listed]) -> tuple[list[Listed], str | None]:
        """The page, and the cursor of the next one if there are more. Each row has its :meth:`key`."""
        if len(rows) <= self.limit:
            return rows, None
        return rows[: self.limit], self._encoded(rows[self.limit - 1])

    def key(self, model: type[L]) -> list[Any]:
        """The columns that order the rows of *model*."""
        return [getattr(model, "name"), model.id] if self.sort.by_name else [model.id]  # noqa: B009 - not all have one

    def _encoded(self, last: Any) -> str:
        key = [getattr(last, "name", "")] if self.sort.by_name else []
        text = json.dumps([self.sort, *key, str(last.id)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _decoded(self, cursor: str) -> list[Any]:
        with suppress(ValueError, TypeError, AttributeError):
            sort, *key, last = json.loads(base64.urlsafe_b64decode(cursor + "==="))
            if sort == self.sort and [type(part) for part in key] == [str] * self.sort.by_name:
                return [*key, UUID(last)]
        raise _bad_parameter(
            "cursor", "not a cursor of this list: pass next_cursor of the page before"
        )


def conditions(
    model: type[Identified], *, owner: UUID | None = None, **where: Any
) -> Iterator[ColumnElement[bool]]:
    """What a row of *model* must be to be listed: the column of each name has the value given.

    None asks for nothing. *labels* is a selector's text, *address* is looked for among *addresses*
    where there are several, and *status* is a Progress, which costs less for the rows of one *owner*.
    Raises Invalid.
    """
    for name, value in where.items():
        if value is None:
            continue
        if name == "labels":
            yield from _selected(model, value)
        elif name == "status":
            pending = progress.is_pending(owner)
            yield pending if value is Progress.PENDING else not_(pending)
        elif name == "address" and hasattr(model, "addresses"):
            yield model.addresses.contains([value])
        else:
            yield getattr(model, name) == value


def _selected(model: type[Any], text: str) -> Iterator[ColumnElement[bool]]:
    try:
        requirements = selectors.parse(text)
    except ValueError as error:
        raise _bad_parameter("labels", str(error)) from error
    for wanted in requirements:
        if wanted.wants in (selectors.Wants.IS, selectors.Wants.IS_NOT):
            # In the text of the statement: a label is on few rows or on most, and the plan depends on which.
            pair = json.dumps({wanted.key: wanted.value})
            said = cast(bindparam(None, pair, String, literal_execute=True), JSONB)
            condition = model.labels.contains(said)
        else:
            condition = model.labels.has_key(wanted.key)
        positive = wanted.wants in (selectors.Wants.IS, selectors.Wants.THERE)
        yield condition if positive else not_(condition)


def _bad_parameter(name: str, detail: str) -> Invalid:
    return Invalid(detail, problems=[FieldProblem(parameter=name, detail=detail)])
