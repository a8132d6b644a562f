"""How a machine's hops are made: each stage says what should be, what is, and what follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from lbaas.domain.terms import Verdict
from lbaas.wire.explanation import Hop

T = TypeVar("T")

_WORST_FIRST = (Verdict.BROKEN, Verdict.SUSPECT, Verdict.UNKNOWN, Verdict.OK)


@dataclass(frozen=True)
class Unseen:
    """Something could not be looked at, and why."""

    cause: str


Seen: TypeAlias = T | Unseen


@dataclass(frozen=True)
class Stage:
    """One thing on the way of a packet, at one machine."""

    machine: str
    name: str

    def ok(self, desired: str, actual: str | None = None) -> Hop:
        """It is as it should be."""
        return self._hop(Verdict.OK, desired, desired if actual is None else actual)

    def broken(self, desired: str, actual: str, cause: str, remedy: str) -> Hop:
        """The packets don't get past it."""
        return self._hop(Verdict.BROKEN, desired, actual, cause, remedy)

    def suspect(self, desired: str, actual: str, cause: str, remedy: str) -> Hop:
        """The packets may not get past it."""
        return self._hop(Verdict.SUSPECT, desired, actual, cause, remedy)

    def unknown(self, desired: str, unseen: Unseen, remedy: str = "") -> Hop:
        """Nobody could look."""
        return self._hop(Verdict.UNKNOWN, desired, "", unseen.cause, remedy)

    def _hop(
        self, verdict: Verdict, desired: str, actual: str, cause: str = "", remedy: str = ""
    ) -> Hop:
        return Hop(
            machine=self.machine,
            stage=self.name,
            verdict=verdict,
            desired=desired[:2000],
            actual=actual[:2000],
            cause=cause[:2000],
            remedy=remedy[:2000],
        )


def worst(hops: Iterable[Hop]) -> Verdict:
    """The verdict on a way is that on its worst hop."""
    found = {hop.verdict for hop in hops}
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.OK)
