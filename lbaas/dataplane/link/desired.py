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


@dataclass(frozen=True)
class LinkTable:
    """*devices* are present and up; *addresses* are on VIP_DEVICE, each as /32 or /128, and no others are."""

    devices: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()


def node_links(state: ClusterState) -> LinkTable:
    """A node holds every VIP of its cluster, announced or not: a packet that comes is balanced."""
    return LinkTable(frozenset({VIP_DEVICE}), frozenset(state.vips))


def host_links(state: HostState) -> LinkTable:
    """A host holds its VIPs, and a tunnel device for each family of the addresses it is a member with."""
    return LinkTable(
        frozenset({VIP_DEVICE, *tunnel_devices(state.endpoints)}), frozenset(state.vips)
    )


def tunnel_devices(endpoints: Iterable[Address]) -> frozenset[str]:
    """The devices at which packets to *endpoints* leave their tunnel."""
    return frozenset(
        TUNNEL4_DEVICE if endpoint.version == 4 else TUNNEL6_DEVICE for endpoint in endpoints
    )
