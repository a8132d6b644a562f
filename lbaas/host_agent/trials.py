"""What a backend host's kernel must be able to do."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from lbaas.agent.capabilities import Trial
from lbaas.dataplane.guard import apply as guard_apply
from lbaas.dataplane.guard.desired import Guard, declaration
from lbaas.dataplane.guard.plan import ReplaceTable
from lbaas.dataplane.link import apply as link_apply
from lbaas.dataplane.link.desired import TUNNEL4_DEVICE, TUNNEL6_DEVICE
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.plan import AddDevice
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.steps import demand
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl.desired import HOST
from lbaas.dataplane.sysctl.plan import SetSysctl

_GUARD = Guard(
    endpoints=(IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")),
    nodes=(IPv4Address("192.0.2.2"), IPv6Address("2001:db8::2")),
    vips=(IPv4Address("192.0.2.3"), IPv6Address("2001:db8::3")),
    segment_sizes={4: 1440, 6: 1400},
)


def host_trials() -> Iterator[Trial]:
    """One for each feature that a backend host's side uses."""
    for family, device in ((4, TUNNEL4_DEVICE), (6, TUNNEL6_DEVICE)):
        without = f"members with IPv{family} addresses get no packets"
        yield Trial(f"tunnel device for IPv{family}", without, partial(_add, device))
    yield Trial("nftables: inet, sets, MSS", "the tunnel has no guard and stays shut", _guard)
    for name, value in HOST.items():
        without = "the host answers ARP for its VIPs and draws their traffic past the nodes"
        yield Trial(name, without, partial(_set, SetSysctl(name, value)))


def _add(device: str) -> None:
    with closing(LinkSocket()) as link:
        demand(link_apply.apply(link, [AddDevice(device)]))


def _guard() -> None:
    with closing(Nft()) as nft:
        demand(guard_apply.apply(nft, [ReplaceTable(declaration(_GUARD))]))


def _set(step: SetSysctl) -> None:
    demand(sysctl_apply.apply([step]))
