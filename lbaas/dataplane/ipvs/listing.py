"""``/proc/net/ip_vs``: all services with all their destinations, in one read.

Over netlink each service's destinations are a dump of their own: a hundred times slower for thousands of
services. The text leaves out a service's family and flags, so it is read beside the netlink list of
services, which walks the same tables in the same order.
Source: net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from lbaas.dataplane.ipvs.desired import Destination
from lbaas.dataplane.turns import by_turns
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding

_HEAD = b"\nFWM "
_FORWARDING = {b"Tunnel": Forwarding.TUNNEL, b"Route": Forwarding.DIRECT}


@dataclass(frozen=True, slots=True)
class Listed:
    """One fwmark service of the text; its destinations in insertion order."""

    mark: int
    scheduler: str
    destinations: tuple[Destination, ...]


def parse(text: bytes) -> Iterator[Listed]:
    """The services that are keyed by a mark, in the order of the text; others are passed over."""
    for block in by_turns(_blocks(text)):
        head, *lines = block.split(b"\n")
        mark, scheduler = head.split()[:2]
        # Services keyed by address come first in the text, so these lines are all this service's.
        rows = [line.split() for line in lines if line.startswith(b"  -> ")]
        # The kernel lists the newest first.
        yield Listed(
            int(mark, 16), scheduler.decode(), tuple(_destination(row) for row in reversed(rows))
        )


def _blocks(text: bytes) -> Iterator[bytes]:
    """What follows each of _HEAD up to the next. One by one: to cut all at once would keep other threads waiting."""
    start = text.find(_HEAD)
    while start >= 0:
        following = text.find(_HEAD, start + 1)
        yield text[start + len(_HEAD) : following if following >= 0 else None]
        start = following


def _destination(row: list[bytes]) -> Destination:
    _, endpoint, method, weight, *_ = row
    return _made(endpoint, method, weight)


@lru_cache(maxsize=65536)
def _made(endpoint: bytes, method: bytes, weight: bytes) -> Destination:
    """Backends serve many services: each is parsed once and shared."""
    return Destination(_address(endpoint), _FORWARDING.get(method), int(weight))


def _address(endpoint: bytes) -> Address:
    """``0A00140B:0000`` or ``[fd00:…:0011]:0000``: address and port."""
    host, _, _ = endpoint.rpartition(b":")
    if host.startswith(b"["):
        return IPv6Address(host[1:-1].decode())
    return IPv4Address(int(host, 16))
