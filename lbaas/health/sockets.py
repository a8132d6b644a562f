"""The sockets that probes are made of."""

import errno
import os
import socket
import struct
from collections.abc import Callable

from lbaas.domain.addresses import Address
from lbaas.domain.terms import ProbeKind
from lbaas.health.checks import Check

# include/uapi/asm-generic/socket.h and linux/in.h; the socket module lacks them.
_SO_MARK = 36
_IP_BIND_ADDRESS_NO_PORT = 24

# Closing resets the connection: neither side keeps it, and IPVS forgets it within 10 s.
_NO_LINGER = struct.pack("ii", 1, 0)

# A VIP is the node's own address too, so the kernel would make segments as large as its loopback takes.
_SEGMENT = 1200

_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_ECHO_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_TALKING_STREAMS = frozenset({ProbeKind.HTTP, ProbeKind.HTTPS})
STREAMS = frozenset({ProbeKind.TCP, *_TALKING_STREAMS})

# These say nothing of a member: the node has no socket, memory, port or right for a probe.
OUR_OWN = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
        *(errno.EPERM, errno.EACCES, errno.EADDRNOTAVAIL),
    }
)

# Documentation addresses: where a packet leaves that goes by the default route.
_FAR_AWAY = {4: "192.0.2.1", 6: "2001:db8::1"}


def connected(check: Check, source_of: Callable[[Check], str]) -> socket.socket:
    """A socket on its way to the member, or with datagrams, already there. Raises OSError.

    A probe that travels as the VIP's packets do carries its mark, and comes from the node's own address: left
    to itself the kernel would send it from the VIP.
    """
    probe = _socket(check.monitor.kind, check.address)
    try:
        if check.mark is not None:
            _take_the_path(probe, check, source_of(check))
        code = probe.connect_ex((str(check.address), check.monitor.port or 0))
    except BaseException:
        probe.close()
        raise
    if code not in (0, errno.EINPROGRESS):
        probe.close()
        raise OSError(code, os.strerror(code))
    return probe


def _take_the_path(probe: socket.socket, check: Check, source: str) -> None:
    probe.setsockopt(socket.SOL_SOCKET, _SO_MARK, check.mark or 0)
    probe.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    probe.bind((source, 0))
    if check.monitor.kind in _TALKING_STREAMS:
        probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)


def _socket(kind: ProbeKind, address: Address) -> socket.socket:
    family = _FAMILY[address.version]
    if kind in STREAMS:
        probe = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        return probe
    if kind is ProbeKind.ICMP:
        protocol = _ECHO_PROTOCOL[address.version]
        return socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)


class Sources:
    """The node's own address towards a member, in the family of the VIP; asked of the kernel now and then."""

    _VALID_S = 30.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[tuple[int, Address], tuple[float, str]] = {}

    def __call__(self, check: Check) -> str:
        """Raises OSError if there is no route."""
        key = (check.address.version, check.member)
        until_s, source = self._known.get(key, (0.0, ""))
        now_s = self._clock()
        if now_s >= until_s:
            source = _source_towards(*key)
            self._known[key] = (now_s + self._VALID_S, source)
        return source


def _source_towards(family: int, member: Address) -> str:
    """A connected UDP socket sends nothing, and knows where it would send from."""
    target = str(member) if member.version == family else _FAR_AWAY[family]
    with socket.socket(_FAMILY[family], socket.SOCK_DGRAM) as asked:
        asked.connect((target, 9))
        source: str = asked.getsockname()[0]
        return source
