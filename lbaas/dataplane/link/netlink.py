"""The kernel's links, addresses and the routes that are ours. Thousands of addresses or routes go in batches.

Source: rtnetlink(7), include/uapi/linux/{if_link,if_addr,rtnetlink}.h.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from lbaas.dataplane.netlink import Message, NetlinkSocket, attribute, parse
from lbaas.domain.addresses import Address

_ROUTE = 0  # NETLINK_ROUTE
_NEW_LINK, _DELETE_LINK, _GET_LINK = 16, 17, 18  # RTM_*
_NEW_ADDRESS, _DELETE_ADDRESS, _GET_ADDRESS = 20, 21, 22
_NEW_ROUTE, _DELETE_ROUTE, _GET_ROUTE = 24, 25, 26
_NESTED = 0x8000
_CREATE, _EXCLUSIVE, _APPEND = 0x400, 0x200, 0x800  # NLM_F_*

_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFNAME, _MTU, _LINKINFO, _INFO_KIND, _INFO_DATA = 3, 4, 18, 1, 2  # IFLA_*
_UP = 0x1  # IFF_UP

_IFADDRMSG = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, device index
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_LINK_SCOPE = 253  # RT_SCOPE_LINK: fe80:: addresses that the kernel adds by itself
_NODAD = (
    0x02  # IFA_F_NODAD: a VIP is on many machines by design, duplicate detection would refuse it
)

# family, prefix lengths of destination and source, tos, table, protocol, scope, type, flags
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF = 1, 4
_LOCAL_TABLE, _HOST_SCOPE, _LOCAL = 255, 254, 2  # RT_TABLE_LOCAL, RT_SCOPE_HOST, RTN_LOCAL
LOOPBACK = 1  # its index in every namespace (include/net/net_namespace.h, LOOPBACK_IFINDEX)
# Routes with this protocol number are ours, and no others; nobody else is known to use it.
ROUTE_PROTOCOL = 108

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the kernel has it. *kind* is None for hardware."""

    index: int
    name: str
    kind: str | None
    up: bool
    mtu: int


@dataclass(frozen=True, slots=True)
class Held:
    """An address, and the index of the device that holds it."""

    index: int
    address: Address


class LinkSocket:
    """An open socket. It belongs for good to the network namespace it was opened in."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(_ROUTE, strict=True)

    def close(self) -> None:
        """The socket is given back."""
        self._netlink.close()

    def index_of(self, device: str) -> int | None:
        """The device's index, None if there is no such device."""
        found = self.device(device)
        return found.index if found else None

    def device(self, name: str) -> Device | None:
        """The device, None if there is none of that name."""
        return self._device(_IFINFOMSG.pack(0, 0, 0, 0, 0) + _name(name))

    def device_at(self, index: int) -> Device | None:
        """The device, None if there is none of that index."""
        return self._device(_IFINFOMSG.pack(0, 0, index, 0, 0))

    def _device(self, wanted: bytes) -> Device | None:
        try:
            return _decoded(self._netlink.ask(Message(_GET_LINK, wanted)))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def create(self, name: str, kind: str, options: bytes = b"") -> None:
        """The device exists, down. *options* are encoded attributes of its kind. Raises OSError."""
        info = attribute(_INFO_KIND, kind.encode() + b"\0")
        info += attribute(_INFO_DATA | _NESTED, options)
        body = _IFINFOMSG.pack(0, 0, 0, 0, 0) + _name(name) + attribute(_LINKINFO | _NESTED, info)
        self._demand(Message(_NEW_LINK, body, _CREATE | _EXCLUSIVE))

    def set_up(self, index: int, *, up: bool = True, mtu: int | None = None) -> None:
        """The device is up, or down, and has *mtu* if that is given. Raises OSError."""
        body = _IFINFOMSG.pack(0, 0, index, _UP if up else 0, _UP)
        if mtu is not None:
            body += attribute(_MTU, struct.pack("=I", mtu))
        self._demand(Message(_NEW_LINK, body))

    def delete(self, index: int) -> None:
        """The device is gone. Raises OSError."""
        self._demand(Message(_DELETE_LINK, _IFINFOMSG.pack(0, 0, index, 0, 0)))

    def _demand(self, message: Message) -> None:
        (code,) = self._netlink.send([message])
        if code:
            raise OSError(code, os.strerror(code))

    def held(self) -> Iterator[Held]:
        """Every address of every device, but for link-local ones."""
        for payload in self._netlink.dump(Message(_GET_ADDRESS, _IFADDRMSG.pack(0, 0, 0, 0, 0))):
            _, _, _, scope, index = _IFADDRMSG.unpack_from(payload)
            if scope != _LINK_SCOPE:
                fields = parse(payload[_IFADDRMSG.size :])
                yield Held(index, ip_address(fields.get(_IFA_LOCAL) or fields[_IFA_ADDRESS]))

    def add(self, addresses: Sequence[Held]) -> list[int]:
        """Each is held as /32 or /128; the errno of each, 0 where it succeeded."""
        return self._netlink.send([_held(_NEW_ADDRESS, each) for each in addresses])

    def remove(self, addresses: Sequence[Held]) -> list[int]:
        """None is held; the errno of each, 0 where it succeeded."""
        return self._netlink.send([_held(_DELETE_ADDRESS, each) for each in addresses])

    def accepted(self) -> Iterator[Address]:
        """Every address to which packets are delivered here by a route of ours."""
        for family in _FAMILIES.values():
            # A kernel before 4.20 shows all routes, whatever is asked for.
            ours = (_LOCAL_TABLE, ROUTE_PROTOCOL, _LOCAL)
            table, protocol, kind = ours
            head = _RTMSG.pack(family, 0, 0, 0, table, protocol, 0, kind, 0)
            with contextlib.suppress(FileNotFoundError):  # nobody ever had an address of the family
                for payload in self._netlink.dump(Message(_GET_ROUTE, head)):
                    of, _, _, _, table, protocol, _, kind, _ = _RTMSG.unpack_from(payload)
                    if of == family and (table, protocol, kind) == ours:
                        yield ip_address(parse(payload[_RTMSG.size :])[_RTA_DST])

    def index_towards(self, address: Address) -> int | None:
        """The index of the device by which packets to *address* leave, LOOPBACK if they stay; None without a way."""
        head = _RTMSG.pack(_FAMILIES[address.version], address.max_prefixlen, *(0,) * 7)
        try:
            answer = self._netlink.ask(Message(_GET_ROUTE, head + _destination(address)))
        except OSError:
            return None
        oif = parse(answer[_RTMSG.size :]).get(_RTA_OIF)
        return None if oif is None else _number(oif)

    def accept(self, addresses: Sequence[Address]) -> list[int]:
        """Packets to each are delivered here; the errno of each, 0 where it succeeded."""
        return self._netlink.send([_accepted(_NEW_ROUTE, each) for each in addresses])

    def refuse(self, addresses: Sequence[Address]) -> list[int]:
        """No route of ours delivers packets to any here; the errno of each, 0 where it succeeded."""
        return self._netlink.send([_accepted(_DELETE_ROUTE, each) for each in addresses])


def _name(device: str) -> bytes:
    return attribute(_IFNAME, device.encode() + b"\0")


def _decoded(link: bytes) -> Device:
    _, _, index, flags, _ = _IFINFOMSG.unpack_from(link)
    fields = parse(link[_IFINFOMSG.size :])
    kind = parse(fields.get(_LINKINFO, b"")).get(_INFO_KIND)
    return Device(
        index,
        _text(fields[_IFNAME]),
        None if kind is None else _text(kind),
        bool(flags & _UP),
        _number(fields[_MTU]),
    )


def _held(kind: int, wanted: Held) -> Message:
    address = wanted.address
    flags = _NODAD if address.version == 6 else 0
    head = _IFADDRMSG.pack(
        _FAMILIES[address.version], address.max_prefixlen, flags, 0, wanted.index
    )
    body = attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)
    return Message(kind, head + body, _CREATE | _EXCLUSIVE if kind == _NEW_ADDRESS else 0)


def _accepted(kind: int, address: Address) -> Message:
    head = _RTMSG.pack(
        _FAMILIES[address.version],
        address.max_prefixlen,
        *(0, 0, _LOCAL_TABLE, ROUTE_PROTOCOL, _HOST_SCOPE, _LOCAL, 0),
    )
    body = _destination(address) + attribute(_RTA_OIF, struct.pack("=I", LOOPBACK))
    # Beside the kernel's own route, where some device holds the address: of IPv6 ours has another metric.
    beside = _APPEND if address.version == 4 else _EXCLUSIVE
    return Message(kind, head + body, _CREATE | beside if kind == _NEW_ROUTE else 0)


def _destination(address: Address) -> bytes:
    return attribute(_RTA_DST, address.packed)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
