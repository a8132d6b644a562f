"""Whether a program of this network namespace takes a flow.

Source: proc(5) on /proc/net/tcp, and net/ipv4/tcp_ipv4.c for the states.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol
from lbaas.wire.explanation import FiveTuple

# A TCP socket that listens, and a UDP one that is not connected, are in these states.
_OPEN = {Protocol.TCP: "0A", Protocol.UDP: "07"}

_NET = Path("/proc/thread-self/net")


def listening(wanted: FiveTuple, root: Path = _NET) -> bool:
    """True if some socket is bound to the flow's port, at its VIP or at any address."""
    return any(
        port == wanted.port and (address.is_unspecified or address == wanted.vip)
        for address, port in _sockets(wanted.protocol, root)
    )


def _sockets(protocol: Protocol, root: Path) -> Iterator[tuple[Address, int]]:
    for name in (protocol.value, f"{protocol}6"):
        file = root / name
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            _, local, _, state, *_ = line.split()
            if state == _OPEN[protocol]:
                digits, _, port = local.partition(":")
                yield _address(digits), int(port, 16)


def _address(digits: str) -> Address:
    """Words of four bytes, each in the order of a little-endian machine; IPv4 in IPv6 is IPv4."""
    words = (bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8))
    address = ip_address(b"".join(words))
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return IPv4Address(address.ipv4_mapped)
    return address
