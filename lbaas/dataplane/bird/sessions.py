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


def exported_count(bird: BirdControl, protocol: str) -> int | None:
    """How many routes *protocol*'s peer is told of; None without a session. The line reads ``5 of 9 routes …``."""
    try:
        counted, *_ = bird.command(f"show route exported {protocol} count")
    except BirdRefused:
        return None
    return int(counted.split()[0])


def exported(bird: BirdControl, protocol: str) -> frozenset[Prefix]:
    """The prefixes that *protocol*'s peer is told of. Thousands take a while: ask for their count first."""
    return prefixes(bird, f"show route exported {protocol}")


def prefixes(bird: BirdControl, asked: str) -> frozenset[Prefix]:
    """The prefixes of the routes that are shown; none where BIRD knows no such protocol yet, or any more."""
    try:
        lines = bird.command(asked)
    except BirdRefused:
        return frozenset()
    # A route's line begins with its prefix; "Table master4:" and continuation lines do not hold a "/".
    return frozenset(
        ip_network(words[0]) for line in lines if (words := line.split()) and "/" in words[0]
    )
