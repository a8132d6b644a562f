"""The kernel's links and addresses: pyroute2 for the few devices, batches for the many addresses.

Source: rtnetlink(7), include/uapi/linux/if_addr.h.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from lbaas.dataplane.netlink import Message, NetlinkSocket, attribute, parse
from lbaas.domain.addresses import Address

_ROUTE = 0  # NETLINK_ROUTE
_NEW, _DELETE, _GET = 20, 21, 22  # RTM_NEWADDR …
_NEWLINK = 16  # RTM_NEWLINK
_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFNAME, _LINKINFO, _INFO_KIND, _INFO_DATA = 3, 18, 1, 2  # IFLA_*
_NESTED = 0x8000
_CREATE = 0x600  # NLM_F_CREATE | NLM_F_EXCL
_IFADDRMSG = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, device index
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_LINK_SCOPE = 253  # RT_SCOPE_LINK: fe80:: addresses that the kernel adds by itself
_NODAD = (
    0x02  # IFA_F_NODAD: a VIP is on many machines by design, duplicate detection would refuse it
)


@dataclass(frozen=True, slots=True)
class Held:
    """An address, and the index of the device that holds it."""

    index: int
    address: Address


class LinkSocket:
    """Open sockets to the namespace they were opened in. *devices* is pyroute2's, opened when first asked for."""

    def __init__(self) -> None:
        self._addresses = NetlinkSocket(_ROUTE)

    @cached_property
    def devices(self) -> IPRoute:
        return IPRoute()

    def close(self) -> None:
        """The sockets are given back."""
        if "devices" in self.__dict__:
            self.devices.close()
        self._addresses.close()

    def index_of(self, device: str) -> int | None:
        """The device's index, None if there is no such device."""
        found = self.devices.link_lookup(ifname=device)
        return int(found[0]) if found else None

    def create(self, name: str, kind: str, options: bytes) -> int:
        """The device exists, down; the errno, 0 where it succeeded. *options* are encoded attributes."""
        info = attribute(_INFO_KIND, kind.encode() + b"\0")
        info += attribute(_INFO_DATA | _NESTED, options)
        body = _IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(_IFNAME, name.encode() + b"\0")
        body += attribute(_LINKINFO | _NESTED, info)
        (code,) = self._addresses.send([Message(_NEWLINK, body, _CREATE)])
        return code

    def device_towards(self, address: Address) -> str | None:
        """The device by which packets to *address* leave, None if there is no way."""
        try:
            (route,) = self.devices.route("get", dst=str(address))
        except NetlinkError:
            return None
        (device,) = self.devices.get_links(route.get_attr("RTA_OIF"))
        return str(device.get_attr("IFLA_IFNAME"))

    def fwmark_rules(self) -> Iterator[tuple[int, int, int]]:
        """Routing rules that look at a packet's mark: priority, mark, mask."""
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in self.devices.get_rules(family=family):
                mark = rule.get_attr("FRA_FWMARK")
                if mark is not None:
                    priority = rule.get_attr("FRA_PRIORITY") or 0
                    yield priority, mark, rule.get_attr("FRA_FWMASK") or 0xFFFFFFFF

    def held(self) -> Iterator[Held]:
        """Every address of every device, but for link-local ones."""
        for payload in self._addresses.dump(Message(_GET, _IFADDRMSG.pack(0, 0, 0, 0, 0))):
            _, _, _, scope, index = _IFADDRMSG.unpack_from(payload)
            if scope != _LINK_SCOPE:
                fields = parse(payload[_IFADDRMSG.size :])
                yield Held(index, ip_address(fields.get(_IFA_LOCAL) or fields[_IFA_ADDRESS]))

    def add(self, addresses: Sequence[Held]) -> list[int]:
        """Each is held as /32 or /128; the errno of each, 0 where it succeeded."""
        return self._addresses.send([_message(_NEW, _CREATE, each) for each in addresses])

    def remove(self, addresses: Sequence[Held]) -> list[int]:
        """None is held; the errno of each, 0 where it succeeded."""
        return self._addresses.send([_message(_DELETE, 0, each) for each in addresses])


def _message(kind: int, flags: int, wanted: Held) -> Message:
    address = wanted.address
    v6 = address.version == 6
    head = _IFADDRMSG.pack(
        socket.AF_INET6 if v6 else socket.AF_INET,
        address.max_prefixlen,
        _NODAD if v6 else 0,
        0,
        wanted.index,
    )
    body = attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)
    return Message(kind, head + body, flags)
