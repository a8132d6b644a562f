"""What a request has done to which objects, gathered from the session as it writes.

Every row that goes through the session is seen here, so no service can forget to tell. What an agent
reports is written past the session on purpose: it is no change that somebody wanted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from uuid import UUID

from sqlalchemy import event as hooks
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history

from lbaas.persistence.models import Identified, Reporting, Resource, Tenant

UNSHOWN = {
    "last_used_at",
    *Identified.__annotations__,
    *Resource.__annotations__,
    *Reporting.__annotations__,
}
SECRET_TEXT = "(secret)"  # noqa: S105 - what stands in a secret's place
Values = dict[str, Any]
# Made once: a union that stands where it is asked is made each time.
_AS_THEY_ARE = (str, int, dict)
_AS_TEXT = UUID | IPv4Address | IPv6Address | IPv4Network | IPv6Network


class Action(StrEnum):
    """What was done to an object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Deed:
    """One object's change. An update shows the fields that changed, the others all fields."""

    action: Action
    kind: str
    object_id: UUID
    object_name: str
    tenant_id: UUID | None
    before: Values | None
    after: Values | None


class Trail:
    """The deeds of one session, one for each object however often it was written."""

    def __init__(self, session: AsyncSession) -> None:
        self._deeds: dict[UUID, Deed] = {}
        hooks.listen(session.sync_session, "after_flush", self._flushed)

    def deeds(self) -> list[Deed]:
        """In the order in which the objects were first touched."""
        return list(self._deeds.values())

    def add(self, deed: Deed) -> None:
        """What was done to something that is no resource of the API's."""
        self._deeds[deed.object_id] = deed

    def _flushed(self, session: Session, _context: object) -> None:
        for deed in _seen(session):
            earlier = self._deeds.pop(deed.object_id, None)
            joined = deed if earlier is None else join(earlier, deed)
            if joined is not None:
                self._deeds[deed.object_id] = joined


def join(first: Deed, second: Deed) -> Deed | None:
    """Both as one: what was before the first, what is after the second. None if nothing has changed."""
    if first.action is Action.CREATE:
        if second.action is Action.DELETE:
            return None
        return replace(first, object_name=second.object_name, after=_over(first, second))
    before = {**(second.before or {}), **(first.before or {})}
    if second.action is Action.DELETE:
        return replace(second, before=before)
    return replace(second, before=before, after=_over(first, second))


def _over(first: Deed, second: Deed) -> Values:
    return {**(first.after or {}), **(second.after or {})}


def _seen(session: Session) -> Iterator[Deed]:
    for row in session.new:
        if isinstance(row, Resource):
            yield creation(row)
    for row in session.dirty:
        if isinstance(row, Resource) and row not in session.deleted:
            before, after = _changed(row)
            if after:
                yield _deed(Action.UPDATE, row, before, after)
    for row in session.deleted:
        if isinstance(row, Resource):
            yield _deed(Action.DELETE, row, fields(row), None)


def creation(row: Resource) -> Deed:
    """That *row*, which is complete, was made."""
    return _deed(Action.CREATE, row, None, fields(row))


def _deed(action: Action, row: Resource, before: Values | None, after: Values | None) -> Deed:
    return Deed(action, row.__tablename__, row.id, label(row), _tenant(row), before, after)


def label(row: Resource) -> str:
    """What a person knows the object by: its name, or its address if it has none."""
    return str(getattr(row, "name", None) or getattr(row, "address", ""))


def _tenant(row: Resource) -> UUID | None:
    return row.id if isinstance(row, Tenant) else getattr(row, "tenant_id", None)


@cache
def _columns(model: type[Resource]) -> Mapping[str, bool]:
    """The names of the columns that events tell of, and whether they are secret."""
    return {
        attribute.key: "secret" in attribute.columns[0].info
        for attribute in inspect(model).column_attrs
        if attribute.key not in UNSHOWN
    }


def fields(row: Resource) -> Values:
    """What events tell of *row*, as JSON has it."""
    held: Mapping[str, Any] = row.__dict__
    return {
        name: _shown(held.get(name), secret=secret) for name, secret in _columns(type(row)).items()
    }


def _changed(row: Resource) -> tuple[Values, Values]:
    before, after = {}, {}
    for name, secret in _columns(type(row)).items():
        history = get_history(row, name)
        if history.has_changes():
            before[name] = _shown(next(iter(history.deleted), None), secret=secret)
            after[name] = _shown(next(iter(history.added), None), secret=secret)
    return before, after


def _shown(value: Any, *, secret: bool = False) -> Any:
    """*value* as JSON has it."""
    if secret and value is not None:
        return SECRET_TEXT
    if value is None or isinstance(value, _AS_THEY_ARE):
        return value
    if isinstance(value, list | tuple):
        return [_shown(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, _AS_TEXT):
        return str(value)
    return value
