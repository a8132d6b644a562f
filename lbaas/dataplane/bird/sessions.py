"""What BIRD says of its sessions, and of what it tells whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from lbaas.dataplane.bird.control import BirdControl, BirdRefused
from lbaas.domain.addresses import Address, Prefix


@dataclass(frozen=True)
class Sessions:
    """States of BGP sessions by protocol, and of BFD's by the peer's address."""

    bgp: dict[str, str]
    bfd: dict[Address, str]


def sessions(bird: BirdControl) -> Sessions:
    """All of them, whoever configured them. Raises BirdUnavailable."""
    # A line reads: name, BGP, table, state, since, and the session's own state and what is wrong, if anything.
    protocols = [line.split() for line in bird.command("show protocols")]
    return Sessions(
        {words[0]: _state(words) for words in protocols if words[1:2] == ["BGP"]}, _bfd(bird)
    )


def _state(words: list[str]) -> str:
    """``up`` is followed by the session's state; ``start`` and ``down`` by a reason."""
    return " ".join(words[5:]) or words[3]


def _bfd(bird: BirdControl) -> dict[Address, str]:
    """A line reads: address, interface, state, since, interval, timeout."""
    try:
        lines = [line.split() for line in bird.command("show bfd sessions")]
    except BirdRefused:
        return {}  # BIRD runs without BFD
    return {
        ip_address(words[0]): words[2] for words in lines if len(words) == 6 and "." in words[4]
    }


def told(bird: BirdControl, prefix: Prefix, protocols: Iterable[str]) -> dict[str, bool]:
    """Which of *protocols* tell their peers of *prefix*."""
    return {name: _exported(bird, prefix, name) for name in protocols}


def _exported(bird: BirdControl, prefix: Prefix, protocol: str) -> bool:
    try:
        lines = bird.command(f"show route for {prefix} export {protocol}")
    except BirdRefused:
        return False
    return any(str(prefix) in line.split() for line in lines)


def exported(protocol: str) -> str:
    """What shows the routes that *protocol*'s peer is told of. Without a session BIRD knows no such table."""
    return f"show route exported {protocol}"


def counted(bird: BirdControl, asked: str) -> int | None:
    """How many routes would be shown; None where BIRD knows no such protocol or table. It says ``5 of 9 routes …``."""
    try:
        line, *_ = bird.command(f"{asked} count")
    except BirdRefused:
        return None
    return int(line.split()[0])


def constant(bird: BirdControl, name: str) -> str | None:
    """What *name* is defined as where BIRD runs; None if it is not defined."""
    try:
        return bird.command(f"eval {name}")[0]
    except BirdRefused:
        return None


def prefixes(bird: BirdControl, asked: str) -> frozenset[Prefix]:
    """The prefixes of the routes that are shown; none where BIRD knows no such protocol yet, or any more.

    Thousands take a while: count them first.
    """
    try:
        lines = bird.command(asked)
    except BirdRefused:
        return frozenset()
    # A route's line begins with its prefix; "Table master4:" and continuation lines do not hold a "/".
    return frozenset(
        ip_network(words[0]) for line in lines if (words := line.split()) and "/" in words[0]
    )
