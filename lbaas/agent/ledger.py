"""What an agent counts, and when that is worth a report."""

from uuid import uuid4

from lbaas.agent.details import Details
from lbaas.agent.rounds import Round
from lbaas.client.agent import Fetched
from lbaas.wire.report import Failure, Report

# A report that says nothing new is still a sign of life.
_HEARTBEAT_S = 30.0

_NO_DETAILS = Details()


class Ledger:
    """Counts what was done since the agent started, and says when that is worth a report."""

    def __init__(self) -> None:
        self._boot = uuid4()
        self._sequence = 0
        self._changes = 0
        self._repaired = 0
        self._settled: str | None = None  # digest of the state that once held wholly
        self._told: tuple[object, ...] = ()
        self._told_at = 0.0

    def enter(
        self, fetched: Fetched, done: Round, now_s: float, details: Details = _NO_DETAILS
    ) -> Report | None:
        """The round is counted; a report, if it says anything new or the last is old."""
        self._changes += done.changes
        if self._settled == fetched.digest and not done.expected:
            self._repaired += done.changes
        if not done.failures and not done.pending:
            self._settled = fetched.digest
        failures = tuple(
            Failure(subsystem=e.subsystem, operation=e.operation, key=e.key, cause=e.cause)
            for e in (failed.error for failed in done.failures)
        )
        news = (fetched.revision, fetched.digest, self._changes, failures, details.news)
        if news == self._told and now_s - self._told_at < _HEARTBEAT_S:
            return None
        self._told, self._told_at = news, now_s
        self._sequence += 1
        return Report(
            boot=self._boot,
            sequence=self._sequence,
            revision=fetched.revision,
            digest=fetched.digest,
            changes=self._changes,
            repaired=self._repaired,
            failures=failures,
            checked=details.checked,
            unhealthy=details.unhealthy,
            dropped=details.dropped,
            facts=details.facts,
            unsent=details.unsent,
        )
