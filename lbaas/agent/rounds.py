"""One round over the subsystems: observe and plan all, establish in order, withdraw in reverse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lbaas.dataplane.steps import Outcome, Plan, Step
from lbaas.errors import LbaasError, StepFailed
from lbaas.tracing import spans

T = TypeVar("T")


@dataclass(frozen=True)
class Subsystem:
    """A part of the data plane, bound to the state that it must hold and to its open socket.

    *plan* observes and says what to do; it raises LbaasError or OSError where it can't observe.
    *apply* tries all the steps it is given.
    """

    name: str
    plan: Callable[[], Plan[Any]]
    apply: Callable[[Sequence[Any]], Outcome[Any]]


@dataclass(frozen=True)
class Failed:
    """A failure and the step that it befell, None where the subsystem could not even be observed."""

    step: Step | None
    error: StepFailed


@dataclass
class Round:
    """What was planned, and what has come of it so far.

    *pending*: more is to be withdrawn soon. *expected*: its changes follow news, and repair no drift.
    """

    plans: list[tuple[Subsystem, Plan[Any]]] = field(default_factory=list)
    pending: bool = False
    expected: bool = False
    changes: int = 0
    failures: list[Failed] = field(default_factory=list)

    def establish(self) -> None:
        """All that was missing was tried, in the order of the subsystems."""
        for subsystem, plan in self.plans:
            self.apply(subsystem.name, subsystem.apply, plan.establish)

    def withdraw(self) -> None:
        """All that was too much was tried, in the reverse order."""
        for subsystem, plan in reversed(self.plans):
            self.apply(subsystem.name, subsystem.apply, plan.withdraw)

    def apply(
        self, name: str, apply: Callable[[Sequence[Any]], Outcome[Any]], steps: Sequence[Any]
    ) -> None:
        """*steps* were tried and counted; none of them makes no call."""
        if not steps:
            return
        with spans.part(name, {"lbaas.steps": len(steps)}):
            outcome = attempt(self, name, "apply", lambda: apply(steps))
        if outcome is not None:
            self.changes += len(outcome.applied)
            self.failures += [Failed(step, error) for step, error in outcome.failed]


def begin(subsystems: Sequence[Subsystem]) -> Round:
    """Every subsystem is observed and planned; one that can't be has a failure and an empty plan."""
    round_ = Round()
    for subsystem in subsystems:
        plan = attempt(round_, subsystem.name, "observe", subsystem.plan)
        if plan is not None:
            round_.plans.append((subsystem, plan))
    return round_


def attempt(round_: Round, name: str, operation: str, call: Callable[[], T]) -> T | None:
    """What *call* gives; None, and a failure in *round_*, where the kernel or a tool said no."""
    try:
        return call()
    except StepFailed as error:
        round_.failures.append(Failed(None, error))
    except (OSError, LbaasError) as error:
        round_.failures.append(Failed(None, StepFailed(name, operation, "*", str(error))))
    return None
