"""The loop of both agents: fetch → reconcile → report.

Three threads, so that neither a slow server nor a slow report delays the data plane: one polls, one
reports, and the main one reconciles at every new state, and once a cycle besides to repair drift.
"""

import fcntl
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from lbaas.agent.details import Details
from lbaas.agent.last_good import LastGood
from lbaas.agent.ledger import Ledger
from lbaas.agent.newest import Newest
from lbaas.agent.rounds import Failed, Round
from lbaas.agent.supervisor import Supervisor
from lbaas.agent.underway import Underway, named
from lbaas.client.agent import AgentClient, Fetched
from lbaas.client.credentials import Credentials, Files
from lbaas.errors import (
    BadState,
    Decommissioned,
    LbaasError,
    OtherPast,
    ServerUnavailable,
    StepFailed,
)
from lbaas.tracing import spans
from lbaas.wire.entries import Entries
from lbaas.wire.report import HELD_BACK, Report
from lbaas.wire.state import Write, places

log = structlog.get_logger()

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

# The first and the longest pause after a failed call; each is spread by half, so that agents that lost
# their server together do not come back together.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0

# Nobody waits for an agent whose node was deleted, and it may come back only by hand.
_DECOMMISSIONED_PAUSE_S = 60.0

# An operator's word is heard so soon; until then each question is answered with a whole state.
_HELD_BACK_PAUSE_S = 10.0

# Writing a large state to disk takes the time of many changes, so it waits for the round, but not for long.
_SAVE_AFTER_S = 1.0

# After a round that left something undone, how soon the next.
_RETRY_S = 1.0


@dataclass(frozen=True)
class AgentSettings:
    """Where the server is, who we are, where our files are, and how often drift is looked for.

    Who we are is a token's or a certificate's to say, or both's; the certificate is in the state directory.
    """

    server_url: str
    token_file: Path | None
    state_dir: Path
    cycle_s: float

    @property
    def files(self) -> Files:
        """Where our certificate is, if we have one."""
        return Files(self.state_dir)

    def credentials(self) -> Credentials:
        """What we show the server. Raises LbaasError if we have nothing to show."""
        files, token = self.files, self._token()
        if token is None and not files.identity.exists():
            raise LbaasError(
                f"no certificate in {self.state_dir}, and no token in {self.token_file}: enrol this machine, with a "
                "token of lbaas node enrol or lbaas host enrol"
            )
        return Credentials(token, files.identity, files.authorities)

    def _token(self) -> str | None:
        """None where there is no such file: its name is in the settings that a machine is installed with."""
        if self.token_file is None or not self.token_file.exists():
            return None
        return self.token_file.read_text().strip()

    def client(self) -> AgentClient:
        """One for a single thread. Raises LbaasError as :meth:`credentials` does."""
        return AgentClient(self.server_url, self.credentials())


@dataclass(frozen=True)
class _Desired(Generic[S]):
    """A state as it came and as it reads."""

    fetched: Fetched
    state: S
    applied: threading.Event = field(default_factory=threading.Event)


class Read(Protocol[S_co]):
    """What an agent applies, from the entries of a revision. Raises BadState where they can't be read."""

    def __call__(self, entries: Entries, revision: int) -> S_co: ...


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
        self._read = read
        self._reconcile: Callable[[S, UUID], Round] = reconcile
        self._last_good = LastGood(settings.state_dir)
        self._inbox: Newest[_Desired[S]] = Newest()
        self._reports: Newest[Report] = Newest()
        self._ledger = Ledger()
        self._underway = Underway()
        self._supervisor = Supervisor()
        self._stopping = False
        self._identity: UUID | None = None
        self._past: Fetched | None = None  # what was on disk
        self._held_back: StepFailed | None = None

    def run(self) -> None:
        """Returns after a signal. Raises LbaasError if another agent holds the state directory."""
        self._settings.state_dir.mkdir(parents=True, exist_ok=True)
        lock = _lock(self._settings.state_dir)
        clients = [self._settings.client() for _ in range(2)]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        last_good = self._from_disk()
        works = (self._fetch_forever, self._report_forever)
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

    def _reconcile_forever(self, desired: _Desired[S] | None) -> None:
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

    def _round(self, desired: _Desired[S]) -> float:
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
        if (held_back := self._held_back) is not None:
            done = replace(done, failures=[*done.failures, Failed(None, held_back)])
        report = self._ledger.enter(desired.fetched, done, time.monotonic(), self._details())
        if report is not None:
            self._reports.put(report)
            self._told(report, took_s)
        self._supervisor.alive(_status(desired.fetched.revision, done))
        return pause_s

    def _attempt(self, desired: _Desired[S]) -> Round:
        try:
            return self._reconcile(desired.state, desired.fetched.agent)
        except Exception as error:  # the loop must not die of what nobody foresaw
            log.exception("round broke off")
            return Round(failures=[Failed(None, StepFailed("agent", "round", "*", repr(error)))])

    def _from_disk(self) -> _Desired[S] | None:
        try:
            fetched = self._last_good.load()
            if fetched is None:
                return None
            log.info("starting from disk", revision=fetched.revision)
            self._identity = fetched.agent
            self._past = fetched
            return _Desired(fetched, self._read(fetched.entries, fetched.revision))
        except BadState as error:
            log.warning("state on disk not used", error=str(error))
            return None

    def _fetch_forever(self, client: AgentClient) -> None:
        # The first fetch asks for the whole, whatever is on disk: a newer server may compile it anew. But it must
        # follow what is on disk: else the server's database is of another past.
        held: Fetched | None = None
        whole = False
        pauses = Pauses()
        while True:
            try:
                fetched = client.fetch(held, whole=whole, past=self._past)
                if fetched is not None:
                    self._hold_back(None)
                    self._accept(fetched)
                    held, whole = fetched, False
                pauses.reset()
            except OtherPast as error:
                self._hold_back(error)
                time.sleep(_HELD_BACK_PAUSE_S * (0.5 + random.random()))  # noqa: S311  # spreading
            except BadState as error:
                log.warning("not a state to hold", error=str(error))
                if held is None or whole:
                    _sleep(pauses)
                whole = True
            except Decommissioned as error:
                # Somebody took this machine out of service; whether it may stop forwarding is theirs to say.
                log.warning("decommissioned", error=str(error), note="keeping what it has")
                time.sleep(_DECOMMISSIONED_PAUSE_S)
            except ServerUnavailable as error:
                log.warning("no state from the server", error=str(error))
                _sleep(pauses)
            except Exception:  # the thread must not die of what nobody foresaw
                log.exception("fetching broke off")
                time.sleep(_LONGEST_PAUSE_S)

    def _accept(self, fetched: Fetched) -> None:
        """The state is proven, applied or being so, and on disk if the disk takes it."""
        desired = _Desired(fetched, self._read(fetched.entries, fetched.revision))
        self._underway.add(fetched.writes)
        self._inbox.put(desired)
        desired.applied.wait(_SAVE_AFTER_S)
        self._note_identity(fetched.agent)
        try:
            self._last_good.save(fetched)
        except OSError as error:
            # Applying it matters more than surviving a restart with it.
            log.warning("state not saved", error=str(error))

    def _hold_back(self, error: OtherPast | None) -> None:
        """Operators see in reports, from now on, what is not obeyed and why; None: nothing of the kind."""
        if (error is None) == (self._held_back is None):
            return
        self._held_back = None if error is None else StepFailed(HELD_BACK, "hold", "*", str(error))
        if error is not None:
            log.error("another past: keeping what it has", error=str(error))
        self._inbox.wake()

    def _note_identity(self, agent: UUID) -> None:
        """An operator who moves a machine to another cluster sees that it has arrived."""
        if self._identity not in (None, agent):
            log.warning(
                "another identity than before: applying its state, whole",
                before=str(self._identity),
                now=str(agent),
            )
        self._identity = agent

    def _report_forever(self, client: AgentClient) -> None:
        pauses = Pauses()
        report: Report | None = None
        while True:
            report = (
                self._reports.take(_LONGEST_PAUSE_S if report is None else pauses.next(0.5))
                or report
            )
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


def _facts(fetched: Fetched) -> spans.Facts:
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


def _sleep(pauses: "Pauses") -> None:
    time.sleep(pauses.next(random.random()))  # noqa: S311  # spreading, not secrecy


class Pauses:
    """Pauses between attempts: doubling up to a longest, spread by half."""

    def __init__(self, longest_s: float = _LONGEST_PAUSE_S) -> None:
        self._longest_s = longest_s
        self.reset()

    def reset(self) -> None:
        """The next pause is the first again."""
        self._next_s = _FIRST_PAUSE_S

    def next(self, spread: float) -> float:
        """Seconds to wait; *spread* in [0, 1) moves it between half and one and a half."""
        pause_s = self._next_s * (0.5 + spread)
        self._next_s = min(2 * self._next_s, self._longest_s)
        return pause_s


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
