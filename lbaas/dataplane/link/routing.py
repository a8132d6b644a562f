"""What the kernel's routing would do with a packet. Asked by the handful, so through pyroute2.

What is asked by the thousand, and what waits to be told of thousands of changes, is in ``netlink`` (decision record:
vips-by-route).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from socket import AF_INET, AF_INET6

from pyroute2 import IPRoute, NetlinkError

from lbaas.domain.addresses import Address

_WHOLE_MARK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Way:
    """How packets leave: by *device*, whole up to *mtu*, by *router* unless the address is a neighbour's."""

    device: str
    mtu: int
    router: Address | None


class Routing:
    """The routing of the network namespace that *netlink* was opened in."""

    def __init__(self, netlink: IPRoute) -> None:
        self._netlink = netlink

    def way_towards(self, address: Address, source: Address | None = None) -> Way | None:
        """How packets to *address* leave, as *source* if given; None if there is no way."""
        wanted = {"dst": str(address)} | ({"src": str(source)} if source else {})
        try:
            (route,) = self._netlink.route("get", **wanted)
            (device,) = self._netlink.get_links(route.get("oif"))
        except NetlinkError:
            return None
        learned = route.get_nested("RTA_METRICS", "RTAX_MTU") or device.get("mtu")
        router = route.get("gateway")
        mtu = min(device.get("mtu"), learned)
        return Way(device.get("ifname"), mtu, ip_address(router) if router else None)

    def device_towards(self, address: Address) -> str | None:
        """The device by which packets to *address* leave, None if there is no way."""
        way = self.way_towards(address)
        return way.device if way else None

    def fwmark_rules(self) -> Iterator[tuple[int, int, int]]:
        """Rules that look at a packet's mark: priority, mark, mask."""
        for family in (AF_INET, AF_INET6):
            for rule in self._netlink.get_rules(family=family):
                if (mark := rule.get("fwmark")) is not None:
                    mask = rule.get("fwmask")
                    yield rule.get("priority") or 0, mark, _WHOLE_MARK if mask is None else mask


@contextmanager
def routing() -> Iterator[Routing]:
    """An open session. Not to be kept: nobody reads what the kernel tells it unasked. Raises OSError."""
    try:
        with IPRoute() as netlink:
            yield Routing(netlink)
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from error
