"""Usage as it is asked for: questions that have an answer, and its pages."""

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import Role
from lbaas.domain.usage import (
    DAY,
    HOUR,
    MINUTE,
    Dimension,
    Granularity,
    Question,
    Retention,
    ceiling,
    floor,
)
from lbaas.errors import FieldProblem, Forbidden, Invalid
from lbaas.persistence.ledger import reading
from lbaas.persistence.ledger.reading import DIRECTIONS, Name, Place
from lbaas.services.work import Caller
from lbaas.wire.fields import Page
from lbaas.wire.ledger import OTHERS, Usage

DEFAULT_PERIOD = DAY
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # before all that was ever counted


def period(
    begin: datetime | None, end: datetime | None, now: datetime, step: timedelta
) -> tuple[datetime, datetime]:
    """From *begin* to *end*, rounded outwards to whole steps; the last day up to *now* if nothing is said.

    Raises Invalid.
    """
    end = now if end is None else min(end, now)
    begin = max(EPOCH, end - DEFAULT_PERIOD if begin is None else begin)
    if begin >= end:
        raise bad("from", "must be before 'to', and not in the future")
    return floor(begin.astimezone(UTC), step), ceiling(end.astimezone(UTC), step)


def checked(question: Question, now: datetime, retention: Retention) -> Question:
    """*question*, if the ledger can answer it. Raises Invalid."""
    if question.of_prefixes and question.of_listeners:
        raise bad(
            "prefix", "clients are told apart by VIP, and not by listener: ask for one or the other"
        )
    if question.granularity is not Granularity.MINUTE:
        return question
    if question.of_prefixes:
        raise bad("granularity", "prefixes are kept by the hour: ask for granularity=hour")
    if question.end - question.begin > DAY + 2 * MINUTE:  # rounded outwards at both ends
        raise bad(
            "granularity", "minutes of more than a day: ask for a shorter period, or for hours"
        )
    if question.begin < now - retention.minutes:
        kept_h = retention.minutes // HOUR
        raise bad("granularity", f"minutes are kept for {kept_h} hours: ask for granularity=hour")
    return question


def owned(question: Question, caller: Caller) -> Question | None:
    """*question* about what the caller may see; None if that is nothing. Raises Forbidden."""
    if caller.role is Role.ADMIN:
        return question
    if caller.tenant_id is None:
        raise Forbidden(f"a token of role {caller.role} may not see this")
    if question.tenant_id not in (None, caller.tenant_id):
        return None
    return Question(**{**vars(question), "tenant_id": caller.tenant_id})


async def page(
    session: AsyncSession, question: Question, limit: int, cursor: str | None
) -> Page[Usage]:
    """A page of the answer."""
    after = None if cursor is None else _decoded(cursor, question)
    rows = await some(session, question, after, limit + 1)
    following = None
    if len(rows) > limit:
        rows = rows[:limit]
        following = _encoded(reading.place_of(rows[-1], question), question)
    return Page[Usage](items=await shown(session, question, rows), next_cursor=following)


def bad(name: str, detail: str) -> Invalid:
    """The parameter *name* is wrong."""
    return Invalid(f"{name}: {detail}", problems=[FieldProblem(parameter=name, detail=detail)])


async def some(
    session: AsyncSession, question: Question, after: Place | None, limit: int
) -> list[RowMapping]:
    """The first *limit* sums after *after*.

    Step by step, in ever larger strides while little is found: a page costs what it shows, and not the period.
    """
    found: list[RowMapping] = []
    stride = 1
    begin = question.begin if after is None else max(question.begin, after[0])
    while begin < question.end and len(found) < limit:
        end = _stride(question, begin, stride)
        found += await reading.sums(session, question, begin, end, after, limit - len(found))
        begin, stride = end, stride * 2
    return found


def _stride(question: Question, begin: datetime, steps: int) -> datetime:
    first = question.granularity.begin(begin)
    return min(question.granularity.next(first, steps), question.end)


async def shown(
    session: AsyncSession, question: Question, rows: Sequence[RowMapping]
) -> list[Usage]:
    """*rows* as the API shows them, with names."""
    named: dict[Dimension, Mapping[UUID, Name]] = {
        kind: await reading.names(session, kind, {row[f"{kind}_id"] for row in rows})
        for kind in (Dimension.TENANT, Dimension.VIP, Dimension.LISTENER)
        if kind in question.by
    }
    return [_usage(question, row, named) for row in rows]


def _usage(
    question: Question, row: RowMapping, named: Mapping[Dimension, Mapping[UUID, Name]]
) -> Usage:
    def name(kind: Dimension) -> Name | None:
        found: UUID | None = row.get(f"{kind}_id")
        return None if found is None else named[kind].get(found)

    tenant, vip, listener = map(name, (Dimension.TENANT, Dimension.VIP, Dimension.LISTENER))
    prefix = row.get("prefix")
    by_prefix = Dimension.PREFIX in question.by
    return Usage(
        begun_at=max(row["begun_at"], question.begin),
        ended_at=min(question.granularity.next(row["begun_at"]), question.end),
        tenant_id=row.get("tenant_id"),
        tenant=tenant and tenant.name,
        vip_id=row.get("vip_id"),
        vip=vip and vip.name,
        address=vip and vip.address,
        listener_id=row.get("listener_id"),
        listener=listener and listener.name,
        direction=DIRECTIONS[row["point"]] if "point" in row else None,
        prefix=None if not by_prefix else OTHERS if prefix is None else str(prefix),
        packets=row["packets"],
        bytes=row["bytes"],
        connections=row.get("connections"),
    )


def _encoded(place: Place, question: Question) -> str:
    begun_at, *rest = place
    parts = [question.granularity, *reading.dimensions(question)]
    text = json.dumps([parts, begun_at.isoformat(), *rest], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str, question: Question) -> Place:
    parts = [question.granularity, *reading.dimensions(question)]
    with suppress(ValueError, TypeError, AttributeError, OverflowError):
        asked, begun_at, *rest = json.loads(base64.urlsafe_b64decode(cursor + "==="))
        if asked == parts and [type(each) for each in rest] == [str] * len(question.by):
            begun = datetime.fromisoformat(begun_at)
            if begun.tzinfo is not None:
                return (begun.astimezone(UTC), *rest)
    raise bad("cursor", "not a cursor of this list: pass next_cursor of the page before")
