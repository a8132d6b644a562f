"""Agents' usage reports into the ledger: each once, however often it comes, and none lost without a word.

All that a request says is entered in one transaction with the sequence that it leads to. So a report that is
acknowledged is in the ledger, and one that is in the ledger is not entered again.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.usage import Retention
from lbaas.errors import FieldProblem, Forbidden, Invalid
from lbaas.persistence.database import Database
from lbaas.persistence.ledger import entry, meters
from lbaas.persistence.ledger.entry import Agent
from lbaas.persistence.ledger.partitions import Partitions, clock
from lbaas.services.states import refuse_gone
from lbaas.services.work import Caller
from lbaas.wire.usage import UsageAcknowledged, UsageReport

# After an outage all agents come at once: they wait here rather than for each other's rows, and leave most
# of the pool's connections to others.
AT_ONCE = 2

_FORGET = (
    "DELETE FROM departed WHERE departed_at < :before",
    "DELETE FROM departed_way WHERE departed_at < :before",
    "DELETE FROM usage_gap WHERE found_at < :before",
    "DELETE FROM usage_meter WHERE entered_at < :before",
)


@dataclass(frozen=True)
class Booked:
    """A report, and the time that its counts are booked at."""

    report: UsageReport
    at: datetime

    @property
    def misdated(self) -> bool:
        return self.at.timestamp() != self.report.begun_s


def book(report: UsageReport, now: datetime, kept: timedelta) -> Booked:
    """The period's begin; nothing is booked in the future, nor before what is *kept*, whatever a clock says."""
    oldest_s = math.ceil((now - kept).timestamp())
    begun_s = min(max(report.begun_s, oldest_s), int(now.timestamp()))
    return Booked(report, datetime.fromtimestamp(begun_s, UTC))


class Ledger:
    """Enters what agents count."""

    def __init__(self, database: Database, retention: Retention | None = None) -> None:
        self.retention = retention or Retention()
        self._database = database
        self._partitions = Partitions(self.retention)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def enter(self, caller: Caller, reports: Sequence[UsageReport]) -> UsageAcknowledged:
        """All of *reports* that were not in the ledger are. Raises Forbidden, Gone or Invalid."""
        agent, meter = _agent(caller), _meter(reports)
        async with self._turns, self._database.session() as session:
            now = await clock(session)
            booked = [book(report, now, self.retention.hours) for report in reports]
            await self._partitions.ensure(session, (each.at for each in booked), now)
            entered = await meters.hold(session, agent, meter)
            new = [each for each in booked if each.report.sequence > entered]
            if new:
                await self._add(session, agent, new, entered, now)
            await session.commit()
        return UsageAcknowledged(meter=meter, sequence=max(entered, reports[-1].sequence))

    async def _add(
        self, session: AsyncSession, agent: Agent, new: list[Booked], entered: int, now: datetime
    ) -> None:
        minutes_from, prefixes_from = now - self.retention.minutes, now - self.retention.prefixes
        totals = [(each.at, count) for each in new for count in each.report.totals]
        prefixes = [(each.at, count) for each in new for count in each.report.prefixes]
        refused = await entry.add_totals(session, agent, totals, minutes_from)
        refused += await entry.add_prefixes(session, agent, prefixes, prefixes_from)
        missing = meters.gaps(entered, (each.report.sequence for each in new))
        made = _progress(new, refused, now)
        await meters.advance(session, agent, new[0].report.meter, made, missing)

    async def tend(self, session: AsyncSession) -> int:
        """Partitions are there ahead of time; so many old ones are dropped, and who departed long ago is forgotten."""
        dropped = await self._partitions.tend(session)
        before = await clock(session) - self.retention.hours
        for statement in _FORGET:
            await session.execute(text(statement), {"before": before})
        return dropped


def _progress(new: Sequence[Booked], refused: int, now: datetime) -> meters.Progress:
    reports = [each.report for each in new]
    ended_s = min(max(report.ended_s for report in reports), int(now.timestamp()))
    return meters.Progress(
        sequence=reports[-1].sequence,
        counted_until=datetime.fromtimestamp(ended_s, UTC),
        reports=len(reports),
        merged=sum(report.merged for report in reports),
        resets=sum(report.resets for report in reports),
        refused=refused,
        misdated=sum(each.misdated for each in new),
    )


def _agent(caller: Caller) -> Agent:
    refuse_gone(caller)
    if caller.node_id is not None and caller.cluster_id is not None:
        return Agent(caller.node_id, caller.cluster_id)
    if caller.host_id is not None:
        return Agent(caller.host_id, None)
    raise Forbidden("only agents report: use a token of role node or host")


def _meter(reports: Sequence[UsageReport]) -> UUID:
    """The one that all *reports* are of, in order."""
    for place in range(1, len(reports)):
        before, report = reports[place - 1], reports[place]
        if report.meter != before.meter:
            raise _bad(place, "meter", "reports of one meter at a time")
        if report.sequence <= before.sequence:
            raise _bad(place, "sequence", "reports in the order of their sequence, each once")
    return reports[0].meter


def _bad(place: int, name: str, wanted: str) -> Invalid:
    problem = FieldProblem(pointer=f"/reports/{place}/{name}", detail=wanted)
    return Invalid(f"send {wanted}", problems=[problem])
