"""What agents say they have applied, written for many at once.

A report waits while the batch before it is written, and goes with all that came meanwhile: a thousand agents that
answer one change make a few transactions and not a thousand.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from lbaas.domain.terms import Role
from lbaas.errors import Forbidden
from lbaas.persistence.database import Database
from lbaas.persistence.models import BackendHost, Node, Reporting
from lbaas.persistence.notices import Notice, Sender
from lbaas.persistence.outages import DATABASE_ERRORS
from lbaas.persistence.reported import UNHURRIED, Agents, Stored, store
from lbaas.services import findings
from lbaas.services.states import refuse_gone
from lbaas.services.work import HOSTS, REPORT, Caller
from lbaas.wire.report import Report

# Agents report every 30 s at least: whoever missed three is stale.
STALE_AFTER = timedelta(seconds=90)


def stale(agent: Reporting, now: datetime) -> bool:
    """True if nothing was heard of the agent for long, or ever."""
    return agent.reported_at is None or now - agent.reported_at > STALE_AFTER


def is_newer(report: Report, boot: UUID | None, sequence: int | None) -> bool:
    """True if *report* comes after the one with *boot* and *sequence*: of another boot, or later in the same."""
    return report.boot != boot or sequence is None or report.sequence > sequence


@dataclass
class _Batch:
    """The newest report of each agent, and who waits until they are written."""

    reports: dict[tuple[Agents, UUID], Report] = field(default_factory=dict)
    written: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def add(self, agents: Agents, agent: UUID, report: Report) -> None:
        before = self.reports.get((agents, agent))
        if before is None or is_newer(report, before.boot, before.sequence):
            self.reports[agents, agent] = report


class ReportWriter:
    """Writes reports in batches. Run :meth:`run` as a task."""

    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender
        self._batch: _Batch | None = None
        self._wake = asyncio.Event()

    async def store(self, caller: Caller, report: Report) -> None:
        """The agent's row says what *report* says, unless a newer report of the same boot came first."""
        refuse_gone(caller)
        agents: Agents
        if caller.role is Role.NODE and caller.node_id is not None:
            agents, agent = Node, caller.node_id
        elif caller.role is Role.HOST and caller.host_id is not None:
            agents, agent = BackendHost, caller.host_id
        else:
            raise Forbidden("only agents report: use a token of role node or host")
        batch = self._batch = self._batch or _Batch()
        batch.add(agents, agent, report)
        self._wake.set()
        # Shielded: one agent that hangs up must not take the others' answer away.
        await asyncio.shield(batch.written)

    async def run(self) -> None:
        """Writes for ever. What can't be written is refused: its agents say it again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._batch = self._batch, None
            if batch is None:
                continue
            try:
                await self._write(batch.reports)
            except DATABASE_ERRORS as error:
                batch.written.set_exception(error)
                batch.written.exception()  # seen, even if every agent has hung up
            except BaseException:
                batch.written.cancel()
                raise
            else:
                batch.written.set_result(None)

    async def _write(self, reports: Mapping[tuple[Agents, UUID], Report]) -> None:
        stored: list[Stored] = []
        async with self._database.hot.connection() as connection, connection.transaction():
            await connection.execute(UNHURRIED)
            for agents in (Node, BackendHost):
                mine = {agent: said for (of, agent), said in reports.items() if of is agents}
                if mine:
                    rows = [_row(agent, said) for agent, said in mine.items()]
                    newer = await store(connection, agents, rows)
                    stored += newer
                    if agents is Node:
                        await findings.store(connection, {of.agent: mine[of.agent] for of in newer})
        subjects = {str(of.cluster or HOSTS) for of in stored if of.tells}
        self._sender.send(Notice(REPORT, subject) for subject in subjects)


def _row(agent: UUID, report: Report) -> dict[str, Any]:
    said = report.model_dump(mode="json", exclude={"unhealthy", "dropped"})
    return {**said, "of": str(agent)}
