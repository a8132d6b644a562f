"""The include file, and what BIRD has made of it."""

from contextlib import closing
from ipaddress import ip_network
from itertools import chain
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl, BirdRefused, BirdUnavailable
from lbaas.dataplane.bird.desired import STATIC_PROTOCOLS
from lbaas.dataplane.bird.plan import Observed
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


def _routes(bird: BirdControl, family: int, protocol: str) -> list[Prefix]:
    try:
        lines = bird.command(f"show route table master{family} protocol {protocol}")
    except BirdRefused:
        return []  # BIRD has no protocol of that name yet
    # A route's line begins with its prefix; "Table master4:" and continuation lines do not hold a "/".
    return [ip_network(words[0]) for line in lines if (words := line.split()) and "/" in words[0]]


def _established(bird: BirdControl) -> frozenset[str]:
    """A line reads: name, BGP, table, state, since, and the session's own state, which is the last word."""
    lines = [line.split() for line in bird.command("show protocols")]
    return frozenset(
        words[0] for words in lines if words[1:2] == ["BGP"] and words[-1] == "Established"
    )
