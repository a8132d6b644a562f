"""The include file, and what BIRD has made of it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl, BirdUnavailable
from lbaas.dataplane.bird.desired import (
    STATIC_PROTOCOLS,
    TEXT,
    declared,
    declared_count,
    identity,
)
from lbaas.dataplane.bird.plan import Observed
from lbaas.dataplane.bird.sessions import constant, counted, prefixes
from lbaas.domain.addresses import Prefix

# What shows each of our protocols' routes.
_ROUTES = {
    family: f"show route table master{family} protocol {protocol}"
    for family, protocol in STATIC_PROTOCOLS.items()
}

# How many of thousands of routes a look asks for by themselves. To list them keeps all that waits for the processor
# waiting, even where few of them are shown.
STRETCH = 250


def observe(control: Path, include: Path) -> Observed:
    """File and tables, as they are now.

    Where BIRD runs with the file's text, its routes are counted: our protocols have none but those of the text.
    """
    return _observe(control, include, _has_all)


class Patrol:
    """BIRD as one look after the other finds it: besides what ``observe`` does, each asks for a stretch of the routes.

    So if BIRD has read a copy of the text in which one route stands for another, it is found once its stretch comes.
    """

    def __init__(self, control: Path, include: Path) -> None:
        self._control = control
        self._include = include
        self._first = 0  # of the next stretch, by its number in the text

    def observe(self) -> Observed:
        """File and tables, as they are now."""
        return _observe(self._control, self._include, self._has_stretch)

    def _has_stretch(self, bird: BirdControl, text: str) -> bool:
        if not _has_all(bird, text):
            return False
        stretch = declared(text, self._first, STRETCH)
        self._first += STRETCH
        if self._first >= declared_count(text):
            self._first = 0
        return all(_has(bird, prefix) for prefix in stretch)


def _observe(control: Path, include: Path, whole: Callable[[BirdControl, str], bool]) -> Observed:
    text = include.read_text() if include.exists() else None
    try:
        with closing(BirdControl(control)) as bird:
            if text is not None and whole(bird, text):
                return Observed(text, None, whole=True, established=_established(bird))
            listed = frozenset().union(*(prefixes(bird, each) for each in _ROUTES.values()))
            return Observed(text, listed, established=_established(bird))
    except BirdUnavailable as error:
        return Observed(text, None, running=error.running)


def _has_all(bird: BirdControl, text: str) -> bool:
    if constant(bird, TEXT) != identity(text):
        return False
    return sum(counted(bird, each) or 0 for each in _ROUTES.values()) == declared_count(text)


def _has(bird: BirdControl, prefix: Prefix) -> bool:
    return prefix in prefixes(bird, f"{_ROUTES[prefix.version]} {prefix}")


def _established(bird: BirdControl) -> frozenset[str]:
    """A line reads: name, BGP, table, state, since, and the session's own state, which is the last word."""
    lines = [line.split() for line in bird.command("show protocols")]
    return frozenset(
        words[0] for words in lines if words[1:2] == ["BGP"] and words[-1] == "Established"
    )
