"""The audit trail, as it is read: pages, and all of it as lines."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement

from lbaas.persistence.database import Database
from lbaas.persistence.models import Event
from lbaas.services import scope
from lbaas.services.listing import Window
from lbaas.services.trail import Action
from lbaas.services.work import Caller, Work
from lbaas.wire import tenants as wire
from lbaas.wire.fields import Page

EXPORT_PAGE = 1000


@dataclass(frozen=True)
class Filter:
    """Which events; None asks for nothing. *since* is included, *until* is not."""

    kind: str | None = None
    object_id: UUID | None = None
    action: Action | None = None
    actor: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = {
            Event.kind: self.kind,
            Event.object_id: self.object_id,
            Event.action: self.action,
            Event.actor: self.actor,
            Event.request_id: self.request_id,
        }
        wanted = [column == value for column, value in equal.items() if value is not None]
        if self.since is not None:
            wanted.append(Event.created_at >= self.since)
        if self.until is not None:
            wanted.append(Event.created_at < self.until)
        return wanted


async def some(work: Work, window: Window, which: Filter) -> Page[wire.Event]:
    """A page of those events that the caller may see."""
    rows, following = await scope.page(work, Event, window, *which.conditions())
    return Page[wire.Event](
        items=[wire.Event.model_validate(row) for row in rows], next_cursor=following
    )


async def lines(database: Database, caller: Caller, which: Filter) -> AsyncIterator[bytes]:
    """All of them, each a line of JSON. Page by page: a slow reader holds no transaction open."""
    cursor = None
    while True:
        async with database.session() as session:
            page = await some(Work(session, caller), Window(EXPORT_PAGE, cursor), which)
        for event in page.items:
            yield event.model_dump_json().encode() + b"\n"
        cursor = page.next_cursor
        if cursor is None:
            return
