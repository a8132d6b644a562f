"""Our devices and their addresses, as the kernel has them."""

from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from lbaas.dataplane.link.desired import DEVICE_KINDS, Alias, LinkTable
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed

_UP = 0x1  # IFF_UP


def observe(link: LinkSocket) -> LinkTable:
    """A device that is down is not shown: adding it brings it up.

    Raises StepFailed if a device of our name is of another kind: it is not ours to change.
    """
    devices = {name: found for name in DEVICE_KINDS if (found := _device(link, name))}
    names = {found["index"]: name for name, found in devices.items()}
    return LinkTable(
        frozenset(name for name, found in devices.items() if found["flags"] & _UP),
        frozenset(
            Alias(names[each.index], each.address) for each in link.held() if each.index in names
        ),
    )


def mtu_towards(link: LinkSocket, endpoint: Address) -> int | None:
    """MTU of the device that holds *endpoint*, None if no device does."""
    for each in link.held():
        if each.address == endpoint:
            (device,) = link.devices.get_links(each.index)
            return int(device.get_attr("IFLA_MTU"))
    return None


def _device(link: LinkSocket, name: str) -> Any | None:
    """The device as pyroute2 tells of it, None if there is none."""
    index = link.index_of(name)
    if index is None:
        return None
    try:
        (device,) = link.devices.get_links(index)
    except NetlinkError:
        return None  # gone between the two calls
    info = device.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info else None
    if kind != DEVICE_KINDS[name]:
        raise StepFailed(
            "link", "observe", name, f"is a {kind} device, not ours: remove or rename it"
        )
    return device
