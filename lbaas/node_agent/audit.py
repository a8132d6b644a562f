"""The periodic verification: kernel and BIRD are read beside the main thread, which need not wait.

What it finds is true of the moment at which it began. So whatever the main thread changes meanwhile is noted,
and nothing is said of that; the next audit looks at it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any

from lbaas.agent.rounds import Round
from lbaas.dataplane.bird.plan import Observed
from lbaas.dataplane.steps import Plan, Step
from lbaas.node_agent.picture import Change, Subject
from lbaas.wire.report import NodeFacts


@dataclass(frozen=True)
class Findings:
    """A round with its plans, and BIRD as it was; None where a change came in between, or it could not be read.

    *facts* are what else was seen, None if it could not be. Nothing is said of what is *unsure*. *announced*: BIRD
    announced then what it should, and was heard.
    """

    round: Round
    bird: Observed | None = None
    facts: NodeFacts | None = None
    unsure: frozenset[Subject] = frozenset()
    announced: bool = False

    @property
    def as_wanted(self) -> bool:
        """True if there is nothing to do and nothing to tell."""
        return (
            self.announced
            and not self.round.failures
            and not any(plan for _, plan in self.round.plans)
        )


@dataclass
class _Look:
    """One look. *touched*: whatever changed since it began. It is over once *findings* or *error* is there."""

    findings: Findings | None = None
    error: Exception | None = None
    touched: set[Subject] = field(default_factory=set)
    wanted: bool = True


class Audit:
    """One look at a time, in a thread of its own; *done* is called there when it is over.

    The thread stays: to start one is to wait until it runs, and from then on it has the interpreter. A process that
    comes before others (see its unit) does so for its news, not for its looks.
    """

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._look: _Look | None = None
        self._asked: SimpleQueue[tuple[_Look, Callable[[], Findings]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def under_way(self) -> bool:
        """True until what was found is taken."""
        return self._look is not None

    @property
    def over(self) -> bool:
        """True if there is something to take."""
        look = self._look
        return look is not None and bool(look.findings or look.error)

    def start(self, find: Callable[[], Findings]) -> None:
        """A look is under way."""
        self._look = _Look()
        self._asked.put((self._look, find))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
            self._thread.start()

    def note(self, change: Change) -> None:
        """What the look finds of *change* is not believed."""
        if self._look is not None:
            self._look.touched |= change.subjects

    def forget(self) -> None:
        """Nothing that the look finds is believed."""
        if self._look is not None:
            self._look.wanted = False

    def take(self) -> Findings | None:
        """What was found and is still true; None if there is nothing. Raises what the look raised."""
        if not self.over:
            return None
        look, self._look = self._look, None
        if look is None or not look.wanted:
            return None
        if look.findings is None:
            raise look.error or AssertionError
        return _still_true(look.findings, look.touched)

    def _work(self) -> None:
        own = os.getpriority(os.PRIO_PROCESS, 0)  # Linux has one for each thread
        os.setpriority(os.PRIO_PROCESS, 0, max(0, own))
        while True:
            self._run(*self._asked.get())

    def _run(self, look: _Look, find: Callable[[], Findings]) -> None:
        try:
            look.findings = find()
        except Exception as error:  # noqa: BLE001  # raised again in the main thread
            look.error = error
        self._done()


def _still_true(findings: Findings, touched: set[Subject]) -> Findings:
    if not touched:
        return findings
    round_ = findings.round
    round_.plans = [(subsystem, _filtered(plan, touched)) for subsystem, plan in round_.plans]
    return replace(findings, bird=None, unsure=frozenset(touched))


def _filtered(plan: Plan[Any], touched: set[Subject]) -> Plan[Any]:
    def untouched(steps: tuple[Step, ...]) -> Iterator[Step]:
        return (step for step in steps if (of := subject(step)) is not None and of not in touched)

    return Plan(tuple(untouched(plan.establish)), tuple(untouched(plan.withdraw)))


def subject(step: Step) -> Subject | None:
    """The VIP, the service or the mark that *step* is about; None if it is about more than one."""
    for path in (("alias", "address"), ("flow", "vip"), ("service",), ("address",), ("mark",)):
        found: Any = step
        for name in path:
            found = getattr(found, name, None)
        if found is not None:
            return found  # type: ignore[no-any-return]  # the plans' own fields
    return None
