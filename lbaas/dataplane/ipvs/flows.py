"""``/proc/net/ip_vs_conn``: every flow that IPVS knows, a line each.

Source: net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show; ip_vs_proto_tcp.c, tcp_states.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

from lbaas.domain.addresses import Address

LISTING = Path("/proc/net/ip_vs_conn")


class Place(NamedTuple):
    """Where a client's connection goes: to *port* of *vip*, which *member* has."""

    vip: Address
    port: int
    member: Address


class Flow(NamedTuple):
    """A TCP connection. *place* is text, since most are never looked at; *begun*: the client said more than SYN."""

    place: bytes
    begun: bool


_LINE = re.compile(rb"^TCP \S+ +\S+ (\S+ +\S+ \S+) +\S+ (\S+)", re.MULTILINE)


def parse(text: bytes) -> Iterator[Flow]:
    """The TCP connections in *text*. IPVS sees the client's packets alone, and a client that is answered goes on."""
    for line in _LINE.finditer(text):
        place, state = line.groups()
        yield Flow(place, state != b"SYN_RECV")


def place_of(text: bytes) -> Place:
    """A flow's *place*, read."""
    vip, port, member = text.split()
    return Place(_address(vip), int(port, 16), _address(member))


def _address(text: bytes) -> Address:
    return IPv6Address(text.decode()) if b":" in text else IPv4Address(int(text, 16))
