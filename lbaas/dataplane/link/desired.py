"""Devices and addresses that a node or a backend host must hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lbaas.domain.addresses import Address
from lbaas.wire.state import ClusterState, HostState

# Our devices. A device of one of these names is ours, and nothing of another name is.
VIP_DEVICE = "lbvip"
TUNNEL4_DEVICE = "lbtun4"
TUNNEL6_DEVICE = "lbtun6"


class Kind(StrEnum):
    """Device kinds, as the kernel names them (IFLA_INFO_KIND)."""

    DUMMY = "dummy"
    IPIP = "ipip"  # outer header IPv4
    IP6TNL = "ip6tnl"  # outer header IPv6


DEVICE_KINDS = {
    VIP_DEVICE: Kind.DUMMY,
    TUNNEL4_DEVICE: Kind.IPIP,
    TUNNEL6_DEVICE: Kind.IP6TNL,
}


@dataclass(frozen=True, slots=True)
class Alias:
    """An address held on one of our devices, as /32 or /128."""

    device: str
    address: Address

    def __str__(self) -> str:
        return f"{self.address} on {self.device}"


@dataclass(frozen=True, slots=True)
class LinkTable:
    """Of our devices these and no others are present and up, and hold these addresses and no others."""

    devices: frozenset[str] = frozenset()
    aliases: frozenset[Alias] = frozenset()


def node_links(state: ClusterState) -> LinkTable:
    """A node holds every VIP of its cluster, announced or not: a packet that comes is balanced."""
    return LinkTable(
        frozenset({VIP_DEVICE}), frozenset(Alias(VIP_DEVICE, vip) for vip in state.vips)
    )


def host_links(state: HostState) -> LinkTable:
    """A host holds its VIPs on the device at which their packets leave the tunnel.

    There and not on another device: rp_filter, also a loose one, drops what comes in on a device that has
    no IPv4 address (net/ipv4/fib_frontend.c, __fib_validate_source).
    """
    devices = tunnel_devices(state.endpoints)
    return LinkTable(
        devices,
        frozenset(Alias(_tunnel_of(vip, devices), vip) for vip in state.vips if devices),
    )


def tunnel_devices(endpoints: Iterable[Address]) -> frozenset[str]:
    """The devices at which packets to *endpoints* leave their tunnel."""
    return frozenset(_TUNNELS[endpoint.version] for endpoint in endpoints)


_TUNNELS = {4: TUNNEL4_DEVICE, 6: TUNNEL6_DEVICE}


def _tunnel_of(vip: Address, devices: frozenset[str]) -> str:
    own = _TUNNELS[vip.version]
    return own if own in devices else min(devices)
