"""The include file, and what BIRD has made of it."""

from contextlib import closing
from itertools import chain
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl, BirdUnavailable
from lbaas.dataplane.bird.desired import STATIC_PROTOCOLS
from lbaas.dataplane.bird.plan import Observed
from lbaas.dataplane.bird.sessions import prefixes
from lbaas.domain.addresses import Prefix


def observe(control: Path, include: Path) -> Observed:
    """File and tables, as they are now."""
    text = include.read_text() if include.exists() else None
    try:
        with closing(BirdControl(control)) as bird:
            routes = chain.from_iterable(_routes(bird, *each) for each in STATIC_PROTOCOLS.items())
            return Observed(text, frozenset(routes), established=_established(bird))
    except BirdUnavailable as error:
        return Observed(text, None, running=error.running)


def _routes(bird: BirdControl, family: int, protocol: str) -> frozenset[Prefix]:
    return prefixes(bird, f"show route table master{family} protocol {protocol}")


def _established(bird: BirdControl) -> frozenset[str]:
    """A line reads: name, BGP, table, state, since, and the session's own state, which is the last word."""
    lines = [line.split() for line in bird.command("show protocols")]
    return frozenset(
        words[0] for words in lines if words[1:2] == ["BGP"] and words[-1] == "Established"
    )
