"""Devices and addresses, made and unmade."""

import errno
from collections.abc import Sequence

from pyroute2.netlink.exceptions import NetlinkError

from lbaas.dataplane.link.desired import Alias, Kind
from lbaas.dataplane.link.netlink import IPRoute, index_of
from lbaas.dataplane.link.plan import (
    AddAddress,
    AddDevice,
    LinkStep,
    RemoveAddress,
    RemoveDevice,
)
from lbaas.dataplane.steps import Outcome, try_each

# A tunnel in "collect metadata" mode takes packets for any local address from any sender, so one device
# serves all the nodes; which senders are let in is the guard's job (lbaas.dataplane.guard).
_DEVICE_OPTIONS: dict[Kind, dict[str, object]] = {
    Kind.DUMMY: {},
    Kind.IPIP: {"ipip_collect_metadata": True},
    Kind.IP6TNL: {"ip6tnl_collect_metadata": True},
}

_IFA_F_NODAD = 0x02  # a VIP is on many hosts by design: duplicate detection would refuse it


def apply(netlink: IPRoute, steps: Sequence[LinkStep]) -> Outcome[LinkStep]:
    """All were tried, in order; one that failed stops no other."""
    return try_each("link", steps, lambda step: _apply(netlink, step), NetlinkError)


def _apply(netlink: IPRoute, step: LinkStep) -> None:
    match step:
        case AddDevice(name=name):
            _add_device(netlink, name, step.kind)
        case RemoveDevice(name=name):
            netlink.link("del", index=_index(netlink, name))
        case AddAddress(alias=alias):
            flags = _IFA_F_NODAD if alias.address.version == 6 else 0
            netlink.addr("add", flags=flags, **_address(netlink, alias))
        case RemoveAddress(alias=alias):
            netlink.addr("delete", **_address(netlink, alias))


def _address(netlink: IPRoute, alias: Alias) -> dict[str, object]:
    return {
        "index": _index(netlink, alias.device),
        "address": str(alias.address),
        "prefixlen": alias.address.max_prefixlen,
    }


def _add_device(netlink: IPRoute, name: str, kind: Kind) -> None:
    if index_of(netlink, name) is None:
        netlink.link("add", ifname=name, kind=kind.value, **_DEVICE_OPTIONS[kind])
    netlink.link("set", index=_index(netlink, name), state="up")


def _index(netlink: IPRoute, name: str) -> int:
    index = index_of(netlink, name)
    if index is None:
        raise NetlinkError(errno.ENODEV, f"no device {name}")
    return index
