"""Fetching: each new state is proven, handed on to be applied, and kept on disk."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from lbaas.agent.last_good import LastGood
from lbaas.agent.pauses import LONGEST_S, Pauses
from lbaas.client.agent import AgentClient, Fetched
from lbaas.errors import BadState, Decommissioned, OtherPast, ServerUnavailable, StepFailed
from lbaas.wire.entries import Entries
from lbaas.wire.report import HELD_BACK

log = structlog.get_logger()

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

# Nobody waits for an agent whose node was deleted, and it may come back only by hand.
_DECOMMISSIONED_PAUSE_S = 60.0

# An operator's word is heard so soon; until then each question is answered with a whole state.
_HELD_BACK_PAUSE_S = 10.0

# Writing a large state to disk takes the time of many changes, so it waits for the round, but not for long.
_SAVE_AFTER_S = 1.0


@dataclass(frozen=True)
class Desired(Generic[S]):
    """A state as it came and as it reads; whoever has applied it says so."""

    fetched: Fetched
    state: S
    applied: threading.Event = field(default_factory=threading.Event)


class Read(Protocol[S_co]):
    """What an agent applies, from the entries of a revision. Raises BadState where they can't be read."""

    def __call__(self, entries: Entries, revision: int) -> S_co: ...


class Fetching(Generic[S]):
    """Hands each new state to *deliver*, in the thread that :meth:`run` has.

    A state that is of another past than the one on disk is held back: *on_hold* is called when that begins and ends,
    and *held_back* says what reports say meanwhile.
    """

    def __init__(
        self,
        read: Read[S],
        last_good: LastGood,
        deliver: Callable[[Desired[S]], None],
        on_hold: Callable[[], None],
    ) -> None:
        self._read = read
        self._last_good = last_good
        self._deliver = deliver
        self._on_hold = on_hold
        self._identity: UUID | None = None
        self._past: Fetched | None = None  # what was on disk
        self.held_back: StepFailed | None = None

    def from_disk(self) -> Desired[S] | None:
        """What was applied last, by this process or the one before; None if there is none that can be trusted."""
        try:
            fetched = self._last_good.load()
            if fetched is None:
                return None
            log.info("starting from disk", revision=fetched.revision)
            self._identity = fetched.agent
            self._past = fetched
            return Desired(fetched, self._read(fetched.entries, fetched.revision))
        except BadState as error:
            log.warning("state on disk not used", error=str(error))
            return None

    def run(self, client: AgentClient) -> None:
        """Fetches for ever."""
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
                time.sleep(LONGEST_S)

    def _accept(self, fetched: Fetched) -> None:
        """The state is proven, applied or being so, and on disk if the disk takes it."""
        desired = Desired(fetched, self._read(fetched.entries, fetched.revision))
        self._deliver(desired)
        desired.applied.wait(_SAVE_AFTER_S)
        self._note_identity(fetched.agent)
        try:
            self._last_good.save(fetched)
        except OSError as error:
            # Applying it matters more than surviving a restart with it.
            log.warning("state not saved", error=str(error))

    def _hold_back(self, error: OtherPast | None) -> None:
        """Operators see in reports, from now on, what is not obeyed and why; None: nothing of the kind."""
        if (error is None) == (self.held_back is None):
            return
        self.held_back = None if error is None else StepFailed(HELD_BACK, "hold", "*", str(error))
        if error is not None:
            log.error("another past: keeping what it has", error=str(error))
        self._on_hold()

    def _note_identity(self, agent: UUID) -> None:
        """An operator who moves a machine to another cluster sees that it has arrived."""
        if self._identity not in (None, agent):
            log.warning(
                "another identity than before: applying its state, whole",
                before=str(self._identity),
                now=str(agent),
            )
        self._identity = agent


def _sleep(pauses: Pauses) -> None:
    time.sleep(pauses.next(random.random()))  # noqa: S311  # spreading, not secrecy
