"""The loop of both agents: fetch → reconcile → report.

Three threads, so that neither a slow server nor a slow report delays the data plane: one polls, one
reports, and the main one reconciles at every new state, and once a cycle besides to repair drift.
"""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic
from uuid import UUID

import structlog

from lbaas.agent.details import Details
from lbaas.agent.fetching import Desired, Fetching, Read, S
from lbaas.agent.last_good import LastGood
from lbaas.agent.ledger import Ledger
from lbaas.agent.newest import Newest
from lbaas.agent.pauses import LONGEST_S, Pauses
from lbaas.agent.rounds import Failed, Round
from lbaas.agent.settings import AgentSettings
from lbaas.agent.supervisor import Supervisor
from lbaas.agent.underway import Underway, named
from lbaas.client.agent import AgentClient, Fetched
from lbaas.errors import LbaasError, ServerUnavailable, StepFailed
from lbaas.tracing import spans
from lbaas.tracing.facts import Facts
from lbaas.wire.report import Report
from lbaas.wire.state import Write, places

log = structlog.get_logger()

# After a round that left something undone, how soon the next.
_RETRY_S = 1.0


def _tell_nobody(_report: Report, _round_s: float) -> None:
    pass


class Agent(Generic[S]):
    """Runs *reconcile* on the newest state until SIGTERM or SIGINT; *told* is called with each report.

    Whatever ends it, kernel and BIRD keep what they have. Before the first proven state nothing is touched.
    Each of *beside* runs in a thread of its own as soon as the state directory is ours, and ends with the process.
    """

    def __init__(
        self,
        settings: AgentSettings,
        read: Read[S],
        reconcile: Callable[[S, UUID], Round],
        details: Callable[[], Details] = Details,
        told: Callable[[Report, float], None] = _tell_nobody,
        beside: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._settings = settings
        self._details = details
        self._told = told
        self._beside = beside
        self._reconcile: Callable[[S, UUID], Round] = reconcile
        self._inbox: Newest[Desired[S]] = Newest()
        self._reports: Newest[Report] = Newest()
        self._ledger = Ledger()
        self._underway = Underway()
        self._supervisor = Supervisor()
        self._stopping = False
        self._fetching = Fetching(
            read, LastGood(settings.state_dir), self._deliver, self._inbox.wake
        )

    def run(self) -> None:
        """Returns after a signal. Raises LbaasError if another agent holds the state directory."""
        self._settings.state_dir.mkdir(parents=True, exist_ok=True)
        lock = _lock(self._settings.state_dir)
        clients = [self._settings.client() for _ in range(2)]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        last_good = self._fetching.from_disk()
        works = (self._fetching.run, self._report_forever)
        for work, client in zip(works, clients, strict=True):
            threading.Thread(target=work, args=(client,), daemon=True).start()
        for beside in self._beside:
            threading.Thread(target=beside, daemon=True).start()
        try:
            self._reconcile_forever(last_good)
        finally:
            os.close(lock)

    def stop(self) -> None:
        """The loop ends after the round under way. May be called from a signal handler."""
        # The flag, and not what lies in the inbox, decides: a state that comes after would replace that.
        self._stopping = True
        self._inbox.wake()

    def wake(self) -> None:
        """A round comes as soon as the one under way is over. May be called from any thread."""
        self._inbox.wake()

    def _reconcile_forever(self, desired: Desired[S] | None) -> None:
        pause_s = 0.0
        self._supervisor.ready()
        while True:
            received = self._inbox.take(min(pause_s, self._supervisor.patience_s or pause_s))
            if self._stopping:
                self._supervisor.stopping()
                log.info("stopped", note="kernel and BIRD keep what they have")
                return
            desired = received or desired
            pause_s = self._settings.cycle_s if desired is None else self._round(desired)
            if desired is None:
                self._supervisor.alive("waiting for a first state")

    def _round(self, desired: Desired[S]) -> float:
        """One round was done and reported; the seconds until the next."""
        writes = self._underway.take(desired.fetched.revision)
        began_s = time.monotonic()
        with spans.following("apply", _facts(desired.fetched), places(writes)):
            done = self._attempt(desired)
            spans.note({"lbaas.changes": done.changes, "lbaas.failures": len(done.failures)})
        took_s = time.monotonic() - began_s
        pause_s = _RETRY_S if done.failures or done.pending else self._settings.cycle_s
        desired.applied.set()
        _tell(desired.fetched.revision, writes, done)
        if (held_back := self._fetching.held_back) is not None:
            done = replace(done, failures=[*done.failures, Failed(None, held_back)])
        report = self._ledger.enter(desired.fetched, done, time.monotonic(), self._details())
        if report is not None:
            self._reports.put(report)
            self._told(report, took_s)
        self._supervisor.alive(_status(desired.fetched.revision, done))
        return pause_s

    def _attempt(self, desired: Desired[S]) -> Round:
        try:
            return self._reconcile(desired.state, desired.fetched.agent)
        except Exception as error:  # the loop must not die of what nobody foresaw
            log.exception("round broke off")
            return Round(failures=[Failed(None, StepFailed("agent", "round", "*", repr(error)))])

    def _deliver(self, desired: Desired[S]) -> None:
        self._underway.add(desired.fetched.writes)
        self._inbox.put(desired)

    def _report_forever(self, client: AgentClient) -> None:
        pauses = Pauses()
        report: Report | None = None
        while True:
            report = self._reports.take(LONGEST_S if report is None else pauses.next(0.5)) or report
            if report is None:
                continue
            try:
                client.report(report)
                report = None
                pauses.reset()
            except ServerUnavailable as error:
                log.warning("report not taken", error=str(error))
            except Exception:  # nor this one
                log.exception("reporting broke off")


def _facts(fetched: Fetched) -> Facts:
    return {"lbaas.agent": str(fetched.agent), "lbaas.revision": fetched.revision}


def _tell(revision: int, writes: Sequence[Write], done: Round) -> None:
    """The log says what a round did, and by whose writes."""
    for failed in done.failures:
        log.warning("step failed", revision=revision, error=str(failed.error))
    if done.changes or writes:
        failures = {"failures": len(done.failures)} if done.failures else {}
        log.info("applied", revision=revision, changes=done.changes, **failures, **named(writes))


def _status(revision: int, done: Round) -> str:
    if not done.failures:
        return f"revision {revision} holds"
    first = done.failures[0].error
    return f"revision {revision}: {len(done.failures)} failures, the first: {first}"


def _lock(directory: Path) -> int:
    """An open, locked file: one agent a directory. Two on one node would undo each other's work."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise LbaasError(
            f"another agent runs with {directory}: stop it, or name another state directory"
        ) from error
    return descriptor
