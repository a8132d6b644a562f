"""IPVS's generic netlink protocol: what goes over the socket, encoded and decoded.

Source: include/uapi/linux/ip_vs.h, net/netfilter/ipvs/ip_vs_ctl.c.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from lbaas.dataplane.genetlink import GenericSocket, command
from lbaas.dataplane.netlink import attribute, parse
from lbaas.domain.addresses import Address

_NESTED = 0x8000

# The nest of 64-bit statistics, of services and of destinations: IPVS_SVC_ATTR_STATS64, IPVS_DEST_ATTR_STATS64.
_STATISTICS = 12


class Command(IntEnum):
    """IPVS_CMD_*."""

    NEW_SERVICE = 1
    SET_SERVICE = 2
    DEL_SERVICE = 3
    GET_SERVICE = 4
    NEW_DEST = 5
    SET_DEST = 6
    DEL_DEST = 7
    GET_DEST = 8
    NEW_DAEMON = 9
    DEL_DAEMON = 10
    GET_DAEMON = 11
    SET_CONFIG = 12
    GET_CONFIG = 13


class Method(IntEnum):
    """IP_VS_CONN_F_*: the forwarding method in a destination's flags."""

    MASQUERADE = 0
    TUNNEL = 2
    DIRECT = 3


class TunnelType(IntEnum):
    """IP_VS_CONN_F_TUNNEL_TYPE_*."""

    IPIP = 0
    GUE = 1
    GRE = 2


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters since the service or destination exists; the kernel refreshes them every 2 s."""

    connections: int
    rx_packets: int
    rx_bytes: int


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A service as the kernel lists it; *mark* is None for one keyed by address and port."""

    family: int
    mark: int | None
    scheduler: str
    flags: int
    timeout_s: int
    prefix: int
    counters: bytes

    @property
    def stats(self) -> Stats:
        """Decoded when asked for: most who list services by the thousand do not."""
        return _stats(self.counters)


@dataclass(frozen=True, slots=True)
class DestinationEntry:
    """A destination as the kernel lists it."""

    address: Address
    method: int
    weight: int
    tunnel_type: int
    tunnel_port: int
    tunnel_flags: int
    active: int
    inactive: int
    counters: bytes

    @property
    def stats(self) -> Stats:
        """As a service's."""
        return _stats(self.counters)


def _u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def _u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def _af(family: int) -> int:
    return socket.AF_INET6 if family == 6 else socket.AF_INET


# The nest's head, family and mark: what names a service, in one call, since each of its destinations needs it.
_SERVICE = struct.Struct("=HHHHHxxHHI")
# The nest's head, family, address, and port 0: the packet's own port.
_DESTINATION = struct.Struct("=HHHHHxxHH16sHHHxx")


def encode_service(
    family: int,
    mark: int,
    scheduler: str | None = None,
    flags: int = 0,
    timeout_s: int = 0,
    prefix: int | None = None,
) -> bytes:
    """IPVS_CMD_ATTR_SERVICE. Without *scheduler* it only names the service; without *prefix* it is whole."""
    way = _way(family, scheduler, flags, timeout_s, prefix) if scheduler is not None else b""
    length = _SERVICE.size + len(way)
    return _SERVICE.pack(length, 1 | _NESTED, 6, 1, _af(family), 8, 5, mark) + way


# Thousands of services differ in a handful of ways; so do destinations.
@lru_cache(maxsize=256)
def _way(family: int, scheduler: str, flags: int, timeout_s: int, prefix: int | None) -> bytes:
    """How a service chooses."""
    return (
        attribute(6, scheduler.encode() + b"\0")
        + attribute(7, struct.pack("=II", flags, 0xFFFFFFFF))
        + _u32(8, timeout_s)
        + attribute(9, _netmask(family, prefix))
    )


def _netmask(family: int, prefix: int | None) -> bytes:
    """A mask in network order; of IPv6, the length of the prefix. A service without one is EINVAL."""
    if family == 6:
        return struct.pack("=I", 128 if prefix is None else prefix)
    host_bits = 0 if prefix is None else 32 - prefix
    return struct.pack("!I", (0xFFFFFFFF << host_bits) & 0xFFFFFFFF)


def _prefix(family: int, netmask: bytes) -> int:
    if family == 6:
        return _uint(netmask)
    return int.from_bytes(netmask, "big").bit_count()


def encode_destination(
    address: Address,
    method: Method | None = None,
    weight: int | None = None,
    tunnel_type: TunnelType = TunnelType.IPIP,
    tunnel_port: int = 0,
) -> bytes:
    """IPVS_CMD_ATTR_DEST. Without *method* and *weight* it only names it."""
    means = b""
    if method is not None and weight is not None:
        means = _means(method, weight, tunnel_type, tunnel_port)
    length, family = _DESTINATION.size + len(means), _af(address.version)
    head = length, 2 | _NESTED, 6, 11, family, 20, 1, address.packed, 6, 2, 0
    return _DESTINATION.pack(*head) + means


@lru_cache(maxsize=1024)
def _means(method: Method, weight: int, tunnel_type: TunnelType, tunnel_port: int) -> bytes:
    """How packets get to a destination, and which share of them."""
    return (
        _u32(3, method)
        + _u32(4, weight)
        + _u32(5, 0)
        + _u32(6, 0)
        + attribute(13, bytes([tunnel_type]))
        + attribute(14, struct.pack("!H", tunnel_port))
        + _u16(15, 0)
    )


def encode_timeouts(tcp_s: int, tcp_fin_s: int, udp_s: int) -> bytes:
    """IPVS_CMD_ATTR_TIMEOUT_*: the three of a node."""
    return _u32(4, tcp_s) + _u32(5, tcp_fin_s) + _u32(6, udp_s)


DAEMON_STATES = {"master": 1, "backup": 2}  # IP_VS_STATE_*


def encode_daemon(state: str, device: str, sync_id: int) -> bytes:
    """IPVS_CMD_ATTR_DAEMON."""
    body = _u32(1, DAEMON_STATES[state]) + attribute(2, device.encode() + b"\0") + _u32(3, sync_id)
    return attribute(3 | _NESTED, body)


def decode_service(attributes: bytes) -> ServiceEntry:
    """One entry of a service dump."""
    fields = parse(attributes)
    family = 6 if _uint(fields[1]) == socket.AF_INET6 else 4
    return ServiceEntry(
        family=family,
        mark=_uint(fields[5]) if 5 in fields else None,
        scheduler=fields[6].rstrip(b"\0").decode(),
        # IP_VS_SVC_F_HASHED says that the kernel has it in its tables: no setting of ours.
        flags=_uint(fields[7][:4]) & ~0x2,
        timeout_s=_uint(fields[8]),
        prefix=_prefix(family, fields[9]),
        counters=fields.get(_STATISTICS, b""),
    )


def decode_destination(attributes: bytes) -> DestinationEntry:
    """One entry of a destination dump."""
    fields = parse(attributes)
    v6 = _uint(fields[11]) == socket.AF_INET6
    return DestinationEntry(
        address=IPv6Address(fields[1][:16]) if v6 else IPv4Address(fields[1][:4]),
        method=_uint(fields[3]) & 0x7,  # IP_VS_CONN_F_FWD_MASK
        weight=_uint(fields[4]),
        # Kernels before 5.2 know IP in IP only, and say nothing of it.
        tunnel_type=_uint(fields.get(13, b"")),
        tunnel_port=int.from_bytes(fields.get(14, b""), "big"),
        tunnel_flags=_uint(fields.get(15, b"")),
        active=_uint(fields[7]),
        inactive=_uint(fields[8]),
        counters=fields.get(_STATISTICS, b""),
    )


def _stats(nest: bytes) -> Stats:
    # Connections, packets in and out, bytes in and out.
    counters = parse(nest)
    return Stats(*(_uint(counters.get(kind, b"\0")) for kind in (1, 2, 4)))


def _uint(value: bytes) -> int:
    return int.from_bytes(value, "little")


class IpvsSocket:
    """An open socket to IPVS. It belongs for good to the network namespace it was opened in.

    Raises ToolMissing if the kernel has no IPVS, PermissionError from calls without CAP_NET_ADMIN.
    """

    def __init__(self) -> None:
        self._generic = GenericSocket(
            "IPVS", "the kernel has no IPVS: load it with `modprobe ip_vs`"
        )

    def close(self) -> None:
        """The socket is given back."""
        self._generic.close()

    def services(self) -> Iterator[ServiceEntry]:
        """Every service of this namespace, foreign ones too, as listed now; each is decoded when it is its turn."""
        return (decode_service(fields[1]) for fields in self._dump(Command.GET_SERVICE, b""))

    def destinations(self, family: int, mark: int) -> list[DestinationEntry]:
        """The destinations of one service, newest first, as the kernel keeps them."""
        found = self._dump(Command.GET_DEST, encode_service(family, mark))
        return [decode_destination(fields[2]) for fields in found]

    def timeouts(self) -> tuple[int, int, int]:
        """How long an idle flow is remembered, in seconds: TCP, TCP after a FIN, UDP."""
        fields = self._generic.ask(command(Command.GET_CONFIG))
        return _uint(fields[4]), _uint(fields[5]), _uint(fields[6])

    def daemons(self) -> list[tuple[str, str, int]]:
        """The sync daemons that run: state, device, id."""
        names = {number: state for state, number in DAEMON_STATES.items()}
        found = [parse(fields[3]) for fields in self._dump(Command.GET_DAEMON, b"")]
        return [
            (names[_uint(each[1])], each[2].rstrip(b"\0").decode(), _uint(each[3]))
            for each in found
        ]

    def send(self, commands: Sequence[bytes]) -> list[int]:
        """All *commands* were carried out in order; the errno of each, 0 where it succeeded."""
        return self._generic.send(commands)

    def _dump(self, asked: Command, body: bytes) -> Iterator[dict[int, bytes]]:
        return self._generic.dump(command(asked, body))
