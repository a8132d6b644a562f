"""What every plan has in common: steps that establish, and steps that withdraw.

An agent establishes in one order (addresses, IPVS, marks, announcement) and withdraws in the reverse,
so each subsystem's plan keeps the two apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from lbaas.errors import StepFailed


class Step(Protocol):
    """One change. *key* names the object in reports."""

    @property
    def key(self) -> str: ...


S = TypeVar("S", bound=Step)


@dataclass(frozen=True)
class Plan(Generic[S]):
    """Ordered steps; both parts empty if the observed state is the desired one."""

    establish: tuple[S, ...] = ()
    withdraw: tuple[S, ...] = ()

    def __len__(self) -> int:
        return len(self.establish) + len(self.withdraw)


@dataclass(frozen=True)
class Outcome(Generic[S]):
    """What came of a list of steps: each is in one of the two."""

    applied: tuple[S, ...] = ()
    failed: tuple[tuple[S, StepFailed], ...] = ()


def demand(outcome: Outcome[S]) -> None:
    """Raises the first failure in *outcome*, if there is one."""
    for _, error in outcome.failed:
        raise error


def try_each(
    subsystem: str,
    steps: Sequence[S],
    apply: Callable[[S], None],
    errors: type[Exception] | tuple[type[Exception], ...],
) -> Outcome[S]:
    """*apply* was called for every step, in order; one that raised one of *errors* stopped no other."""
    applied: list[S] = []
    failed: list[tuple[S, StepFailed]] = []
    for step in steps:
        try:
            apply(step)
        except errors as error:
            cause = str(error.args[-1])  # the words, where an errno stands before them
            failed.append((step, StepFailed(subsystem, type(step).__name__, step.key, cause)))
        else:
            applied.append(step)
    return Outcome(tuple(applied), tuple(failed))
