"""An explanation for a terminal: a line for each hop, and under it why it breaks and what to do."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from lbaas.domain.terms import Verdict

_SIGNS = {Verdict.OK: "ok", Verdict.SUSPECT: "??", Verdict.BROKEN: "!!", Verdict.UNKNOWN: "--"}


class Shown(Protocol):
    """A hop, from whichever side it comes."""

    @property
    def machine(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def desired(self) -> str: ...
    @property
    def actual(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def remedy(self) -> str: ...


def lines(hops: Iterable[Shown]) -> Iterator[str]:
    """The hops under the names of their machines."""
    machine = None
    for hop in hops:
        if hop.machine != machine:
            machine = hop.machine
            yield machine
        yield f"  {_SIGNS[hop.verdict]}  {hop.stage:<15} {_what(hop)}"
        if hop.cause:
            yield f"      because {hop.cause}"
        if hop.remedy:
            yield f"      do      {hop.remedy}"


def summary(hops: Iterable[Shown]) -> str:
    """One line: where it breaks first, if it does."""
    found = list(hops)
    for verdict, words in _WORDS.items():
        if worst := [hop for hop in found if hop.verdict is verdict]:
            return f"{words} at {worst[0].machine}, {worst[0].stage}: {worst[0].cause}"
    return "every hop is as it should be"


_WORDS = {
    Verdict.BROKEN: "it breaks",
    Verdict.SUSPECT: "it may break",
    Verdict.UNKNOWN: "not all could be looked at:",
}


def _what(hop: Shown) -> str:
    if not hop.actual or hop.actual == hop.desired:
        return hop.desired
    return (
        f"{hop.desired}: {hop.actual}"
        if hop.verdict is Verdict.OK
        else f"{hop.actual} (should be: {hop.desired})"
    )
