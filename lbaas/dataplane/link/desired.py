"""Devices and addresses that a node or a backend host must hold."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation
from lbaas.wire.state import HostState

# Our devices. A device of one of these names is ours, and nothing of another name is.
TUNNEL4_DEVICE = "lbtun4"
TUNNEL6_DEVICE = "lbtun6"
GRE4_DEVICE = "lbgre4"
GRE6_DEVICE = "lbgre6"
SIT_PREFIX = "lbsit"  # and the endpoint in hexadecimal digits

_SIT_NAME = re.compile(rf"{SIT_PREFIX}[0-9a-f]{{8}}")


class Kind(StrEnum):
    """Device kinds, as the kernel names them (IFLA_INFO_KIND)."""

    IPIP = "ipip"  # IPv4 in IPv4
    IP6TNL = "ip6tnl"  # either in IPv6
    SIT = "sit"  # IPv6 in IPv4
    GRE = "gre"  # either in IPv4
    IP6GRE = "ip6gre"  # either in IPv6


DEVICE_KINDS = {
    TUNNEL4_DEVICE: Kind.IPIP,
    TUNNEL6_DEVICE: Kind.IP6TNL,
    GRE4_DEVICE: Kind.GRE,
    GRE6_DEVICE: Kind.IP6GRE,
}


def is_ours(name: str) -> bool:
    """True if a device of this name is ours, or pretends to be."""
    return name in DEVICE_KINDS or _SIT_NAME.fullmatch(name) is not None


def kind_of(name: str) -> Kind:
    """The kind of a device of ours. Raises KeyError if the name is not ours."""
    return Kind.SIT if _SIT_NAME.fullmatch(name) else DEVICE_KINDS[name]


def sit_device(endpoint: IPv4Address) -> str:
    """The device for IPv6 in IPv4 at *endpoint*. The kernel has no such device for all endpoints at once."""
    return f"{SIT_PREFIX}{endpoint.packed.hex()}"


def sit_endpoint(name: str) -> IPv4Address:
    """What ``sit_device`` made the name of."""
    return IPv4Address(bytes.fromhex(name.removeprefix(SIT_PREFIX)))


@dataclass(frozen=True, slots=True)
class Alias:
    """An address held on one of our devices, as /32 or /128."""

    device: str
    address: Address

    def __str__(self) -> str:
        return f"{self.address} on {self.device}"


@dataclass(frozen=True, slots=True)
class LinkTable:
    """Of our devices these and no others are present and up, and hold these addresses and no others.

    Packets to addresses that are *accepted* are delivered here though no device holds them, by a route of ours
    in table ``local`` for each.
    """

    devices: frozenset[str] = frozenset()
    aliases: frozenset[Alias] = frozenset()
    accepted: frozenset[Address] = frozenset()


def node_links(vips: Iterable[Address]) -> LinkTable:
    """A node accepts every VIP of its cluster, announced or not: a packet that comes is balanced.

    By routes, since the kernel goes through all addresses of a device whenever one is added (decision record:
    vips-by-route).
    """
    return LinkTable(accepted=frozenset(vips))


def host_links(state: HostState) -> LinkTable:
    """A host holds its VIPs on devices at which their packets leave the tunnel; of IPv4, on each of these.

    There and not on another device: rp_filter, also a loose one, drops what comes in on a device that has
    no IPv4 address (net/ipv4/fib_frontend.c, __fib_validate_source).
    """
    devices = tunnel_devices(state)
    return LinkTable(
        devices,
        frozenset(Alias(device, vip) for vip in state.vips for device in _holders(vip, devices)),
    )


def tunnel_devices(state: HostState) -> frozenset[str]:
    """The devices at which packets to the host's endpoints leave their tunnels.

    GUE has none of its own: what is inside goes on as IP in IP.
    """
    families = {endpoint.version for endpoint in state.endpoints}
    devices = {_TUNNELS[family] for family in families}
    if any(tunnel.encapsulation is Encapsulation.GRE for tunnel in state.tunnels):
        devices |= {_GRE[family] for family in families}
    if any(vip.version == 6 for vip in state.vips):
        devices |= {sit_device(each) for each in state.endpoints if each.version == 4}
    return frozenset(devices)


def receiving_v4(devices: Iterable[str]) -> frozenset[str]:
    """Those at which IPv4 packets may leave the tunnel."""
    return frozenset(device for device in devices if kind_of(device) is not Kind.SIT)


_TUNNELS = {4: TUNNEL4_DEVICE, 6: TUNNEL6_DEVICE}
_GRE = {4: GRE4_DEVICE, 6: GRE6_DEVICE}


def _holders(vip: Address, devices: frozenset[str]) -> Iterable[str]:
    if vip.version == 4:
        return receiving_v4(devices)
    return sorted(devices, key=lambda device: (device != TUNNEL6_DEVICE, device))[:1]
