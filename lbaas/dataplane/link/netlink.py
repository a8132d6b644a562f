"""The route netlink socket, and what observing and applying both ask of it."""

from pyroute2 import IPRoute

__all__ = ["IPRoute", "index_of"]


def index_of(netlink: IPRoute, name: str) -> int | None:
    """Interface index of the device, None if there is none."""
    found = netlink.link_lookup(ifname=name)
    return int(found[0]) if found else None
