"""IPVS's generic netlink protocol: encoding, decoding, and a socket that sends in batches.

Written against include/uapi/linux/ip_vs.h and net/netfilter/ipvs/ip_vs_ctl.c. pyroute2 speaks it too, a
hundred times slower, since it waits for an answer after every message; here many messages go in one
datagram and only the last asks for an acknowledgement: the kernel reports errors unasked, by sequence number.
"""

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from lbaas.domain.addresses import Address
from lbaas.errors import ToolMissing

_GENERIC = 16  # NETLINK_GENERIC
_CONTROLLER = 16  # GENL_ID_CTRL
_GET_FAMILY = 3  # CTRL_CMD_GETFAMILY
_ERROR, _DONE = 2, 3
_REQUEST, _MULTI, _ACK, _DUMP = 0x1, 0x2, 0x4, 0x300
_NESTED = 0x8000
_SOL_NETLINK, _EXT_CAP_ACK = 270, 10

_ATTRIBUTE = struct.Struct("=HH")
_HEADER = struct.Struct("=IHHII")
_GENERIC_HEADER = struct.Struct("=BBH")

# A larger datagram gains nothing, and the errors of one must fit the receive buffer.
_BATCH = 64
_RECEIVE_BUFFER = 4 << 20


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


class Method(IntEnum):
    """IP_VS_CONN_F_*: the forwarding method in a destination's flags."""

    MASQUERADE = 0
    TUNNEL = 2
    DIRECT = 3


@dataclass(frozen=True)
class Stats:
    """Counters since the service or destination exists; the kernel refreshes them every 2 s."""

    connections: int
    rx_packets: int
    rx_bytes: int


@dataclass(frozen=True)
class ServiceEntry:
    """A service as the kernel lists it; *mark* is None for one keyed by address and port."""

    family: int
    mark: int | None
    scheduler: str
    flags: int
    stats: Stats


@dataclass(frozen=True)
class DestinationEntry:
    """A destination as the kernel lists it."""

    address: Address
    method: int
    weight: int
    active: int
    inactive: int
    stats: Stats


@dataclass(frozen=True)
class Message:
    """One command with its encoded attributes."""

    command: Command
    body: bytes


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _u16(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=H", value))


def _u32(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _af(family: int) -> int:
    return socket.AF_INET6 if family == 6 else socket.AF_INET


# Both are asked for the same names again and again: once for each destination, once for each service.
@lru_cache(maxsize=4096)
def encode_service(
    family: int, mark: int, scheduler: str | None = None, flags: int = 0, timeout_s: int = 0
) -> bytes:
    """IPVS_CMD_ATTR_SERVICE. Without *scheduler* it only names the service."""
    body = _u16(1, _af(family)) + _u32(5, mark)
    if scheduler is not None:
        # A fwmark service must come with a full netmask, else EINVAL: all ones, or prefix length 128.
        netmask = 128 if family == 6 else 0xFFFFFFFF
        body += _attribute(6, scheduler.encode() + b"\0")
        body += _attribute(7, struct.pack("=II", flags, 0xFFFFFFFF))
        body += _u32(8, timeout_s) + _u32(9, netmask)
    return _attribute(1 | _NESTED, body)


@lru_cache(maxsize=4096)
def encode_destination(
    address: Address, method: Method | None = None, weight: int | None = None
) -> bytes:
    """IPVS_CMD_ATTR_DEST on port 0: the packet's own port. Without *weight* it only names it."""
    body = _u16(11, _af(address.version)) + _attribute(1, address.packed.ljust(16, b"\0"))
    body += _attribute(2, b"\0\0")
    if method is not None and weight is not None:
        body += _u32(3, method) + _u32(4, weight) + _u32(5, 0) + _u32(6, 0)
    return _attribute(2 | _NESTED, body)


def decode_service(attributes: bytes) -> ServiceEntry:
    """One entry of a service dump."""
    fields = _parse(attributes)
    return ServiceEntry(
        family=6 if _uint(fields[1]) == socket.AF_INET6 else 4,
        mark=_uint(fields[5]) if 5 in fields else None,
        scheduler=fields[6].rstrip(b"\0").decode(),
        # IP_VS_SVC_F_HASHED says that the kernel has it in its tables: no setting of ours.
        flags=_uint(fields[7][:4]) & ~0x2,
        stats=_stats(fields),
    )


def decode_destination(attributes: bytes) -> DestinationEntry:
    """One entry of a destination dump."""
    fields = _parse(attributes)
    v6 = _uint(fields[11]) == socket.AF_INET6
    return DestinationEntry(
        address=IPv6Address(fields[1][:16]) if v6 else IPv4Address(fields[1][:4]),
        method=_uint(fields[3]) & 0x7,  # IP_VS_CONN_F_FWD_MASK
        weight=_uint(fields[4]),
        active=_uint(fields[7]),
        inactive=_uint(fields[8]),
        stats=_stats(fields),
    )


def _stats(fields: dict[int, bytes]) -> Stats:
    # Attribute 12 of both is the 64-bit statistics nest: connections, packets in and out, bytes in and out.
    counters = _parse(fields[12]) if 12 in fields else {}
    return Stats(*(_uint(counters.get(kind, b"\0")) for kind in (1, 2, 4)))


def _uint(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _parse(attributes: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if length < 4:
            break
        fields[kind & 0x3FFF] = attributes[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return fields


class IpvsSocket:
    """An open socket to IPVS. It belongs for good to the network namespace it was opened in.

    Raises ToolMissing if the kernel has no IPVS, PermissionError from calls without CAP_NET_ADMIN.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC)
        self._sequence = 0
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.setsockopt(_SOL_NETLINK, _EXT_CAP_ACK, 1)
            self._socket.bind((0, 0))
            self._family = self._find_family()
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """The socket is given back."""
        self._socket.close()

    def services(self) -> list[ServiceEntry]:
        """Every service of this namespace, foreign ones too."""
        return [decode_service(_parse(reply)[1]) for reply in self._dump(Command.GET_SERVICE, b"")]

    def destinations(self, family: int, mark: int) -> list[DestinationEntry]:
        """The destinations of one service, newest first, as the kernel keeps them."""
        replies = self._dump(Command.GET_DEST, encode_service(family, mark))
        return [decode_destination(_parse(reply)[2]) for reply in replies]

    def send(self, messages: Sequence[Message]) -> list[int]:
        """All *messages* are carried out in order; the errno of each, 0 where it succeeded."""
        results: list[int] = []
        for start in range(0, len(messages), _BATCH):
            results += self._send_batch(messages[start : start + _BATCH])
        return results

    def _send_batch(self, messages: Sequence[Message]) -> list[int]:
        first = self._sequence + 1
        last = len(messages) - 1
        self._socket.send(
            b"".join(
                self._encode(self._family, each.command, each.body, _ACK if place == last else 0)
                for place, each in enumerate(messages)
            )
        )
        errors: dict[int, int] = {}
        while first + last not in errors:
            for kind, _, sequence, payload in self._receive():
                if kind == _ERROR:
                    errors[sequence] = -struct.unpack_from("=i", payload)[0]
        return [errors.get(first + place, 0) for place in range(len(messages))]

    def _find_family(self) -> int:
        self._socket.send(self._encode(_CONTROLLER, _GET_FAMILY, _attribute(2, b"IPVS\0"), 0))
        for kind, _, _, payload in self._receive():
            if kind == _ERROR:
                raise ToolMissing("the kernel has no IPVS: load it with `modprobe ip_vs`")
            return _uint(_parse(payload[4:])[1])
        raise ToolMissing("the kernel did not answer a generic netlink request")

    def _dump(self, command: int, body: bytes) -> list[bytes]:
        self._socket.send(self._encode(self._family, command, body, _DUMP))
        entries: list[bytes] = []
        while True:
            for kind, _, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue
                if kind == _DONE:
                    return entries
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", payload)[0]
                    raise OSError(code, os.strerror(code))
                entries.append(payload[4:])

    def _encode(self, kind: int, command: int, body: bytes, flags: int) -> bytes:
        self._sequence += 1
        header = _HEADER.pack(20 + len(body), kind, _REQUEST | flags, self._sequence, 0)
        return header + _GENERIC_HEADER.pack(command, 1, 0) + body

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        datagram = self._socket.recv(1 << 20)
        offset = 0
        while offset + 16 <= len(datagram):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(datagram, offset)
            yield kind, flags, sequence, datagram[offset + 16 : offset + length]
            offset += (length + 3) & ~3
