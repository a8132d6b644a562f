"""Our devices and their addresses, as the kernel has them."""

import socket
from ipaddress import IPv6Address

from lbaas.dataplane.link.desired import (
    Alias,
    Kind,
    LinkTable,
    is_ours,
    kind_of,
    sit_endpoint,
)
from lbaas.dataplane.link.netlink import Device, LinkSocket
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed


def observe(link: LinkSocket) -> LinkTable:
    """A device that is down is not shown: adding it brings it up.

    Raises StepFailed if a device of our name is of another kind: it is not ours to change.
    """
    present = [name for _, name in socket.if_nameindex() if is_ours(name)]
    devices = {name: found for name in present if (found := _device(link, name))}
    names = {found.index: name for name, found in devices.items()}
    return LinkTable(
        frozenset(name for name, found in devices.items() if found.up),
        frozenset(
            Alias(names[each.index], each.address)
            for each in link.held()
            if each.index in names and not _of_the_kernel(names[each.index], each.address)
        ),
        frozenset(link.accepted()),
    )


def _of_the_kernel(device: str, address: Address) -> bool:
    """True for what the kernel adds by itself: a sit device's own ``::A.B.C.D`` (net/ipv6/addrconf.c)."""
    return kind_of(device) is Kind.SIT and address == IPv6Address(int(sit_endpoint(device)))


def mtu_towards(link: LinkSocket, endpoint: Address) -> int | None:
    """MTU of the device that holds *endpoint*, None if no device does."""
    for each in link.held():
        if each.address == endpoint:
            device = link.device_at(each.index)
            return device.mtu if device else None
    return None


def _device(link: LinkSocket, name: str) -> Device | None:
    """The device, None if there is none."""
    device = link.device(name)
    if device is not None and device.kind != kind_of(name):
        cause = f"is a {device.kind} device, not ours: remove or rename it"
        raise StepFailed("link", "observe", name, cause)
    return device
