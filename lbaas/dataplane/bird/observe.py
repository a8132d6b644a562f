"""The include file, and what BIRD has made of it."""

from contextlib import closing
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl, BirdUnavailable
from lbaas.dataplane.bird.desired import STATIC_PROTOCOLS, TEXT, declared_count, identity
from lbaas.dataplane.bird.plan import Observed
from lbaas.dataplane.bird.sessions import constant, counted, prefixes

# What shows each of our protocols' routes.
_ROUTES = [
    f"show route table master{family} protocol {protocol}"
    for family, protocol in STATIC_PROTOCOLS.items()
]


def observe(control: Path, include: Path) -> Observed:
    """File and tables, as they are now.

    Where BIRD runs with the file's text, its routes are counted: our protocols have none but those of the text.
    To list thousands keeps all that waits for the processor waiting.
    """
    text = include.read_text() if include.exists() else None
    try:
        with closing(BirdControl(control)) as bird:
            whole = text is not None and _has_all(bird, text)
            listed = (
                None if whole else frozenset().union(*(prefixes(bird, each) for each in _ROUTES))
            )
            return Observed(text, listed, whole, established=_established(bird))
    except BirdUnavailable as error:
        return Observed(text, None, running=error.running)


def _has_all(bird: BirdControl, text: str) -> bool:
    if constant(bird, TEXT) != identity(text):
        return False
    return sum(counted(bird, each) or 0 for each in _ROUTES) == declared_count(text)


def _established(bird: BirdControl) -> frozenset[str]:
    """A line reads: name, BGP, table, state, since, and the session's own state, which is the last word."""
    lines = [line.split() for line in bird.command("show protocols")]
    return frozenset(
        words[0] for words in lines if words[1:2] == ["BGP"] and words[-1] == "Established"
    )
