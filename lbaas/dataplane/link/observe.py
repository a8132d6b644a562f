"""Our devices and their addresses, as the kernel has them."""

from collections.abc import Iterator
from ipaddress import ip_address

from pyroute2.netlink.exceptions import NetlinkError

from lbaas.dataplane.link.desired import DEVICE_KINDS, Alias, LinkTable
from lbaas.dataplane.link.netlink import IPRoute, index_of
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed

_UP = 0x1  # IFF_UP
_LINK_SCOPE = 253  # RT_SCOPE_LINK: fe80:: addresses that the kernel adds by itself


def observe(netlink: IPRoute) -> LinkTable:
    """A device that is down is not shown: adding it brings it up.

    Raises StepFailed if a device of our name is of another kind: it is not ours to change.
    """
    devices = frozenset(name for name in DEVICE_KINDS if _is_up(netlink, name))
    return LinkTable(
        devices, frozenset(alias for name in DEVICE_KINDS for alias in _aliases(netlink, name))
    )


def mtu_towards(netlink: IPRoute, endpoint: Address) -> int | None:
    """MTU of the device that holds *endpoint*, None if no device does."""
    for message in netlink.get_addr(address=str(endpoint)):
        (link,) = netlink.get_links(message["index"])
        return int(link.get_attr("IFLA_MTU"))
    return None


def _is_up(netlink: IPRoute, name: str) -> bool:
    index = index_of(netlink, name)
    if index is None:
        return False
    try:
        (link,) = netlink.get_links(index)
    except NetlinkError:
        return False  # gone between the two calls
    kind = (link.get_attr("IFLA_LINKINFO") or {}) and link.get_attr("IFLA_LINKINFO").get_attr(
        "IFLA_INFO_KIND"
    )
    if kind != DEVICE_KINDS[name]:
        raise StepFailed(
            "link", "observe", name, f"is a {kind} device, not ours: remove or rename it"
        )
    return bool(link["flags"] & _UP)


def _aliases(netlink: IPRoute, device: str) -> Iterator[Alias]:
    index = index_of(netlink, device)
    for message in netlink.get_addr(index=index) if index is not None else ():
        if message["scope"] != _LINK_SCOPE:
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            yield Alias(device, ip_address(address))
