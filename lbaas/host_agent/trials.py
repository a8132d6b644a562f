"""What a backend host's kernel must be able to do."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from lbaas.agent.capabilities import Trial
from lbaas.dataplane.guard import apply as guard_apply
from lbaas.dataplane.guard.desired import Guard, declaration
from lbaas.dataplane.guard.plan import ReplaceTable
from lbaas.dataplane.gue import apply as gue_apply
from lbaas.dataplane.gue.desired import Opening
from lbaas.dataplane.gue.netlink import FouSocket
from lbaas.dataplane.gue.plan import OpenPort
from lbaas.dataplane.link import apply as link_apply
from lbaas.dataplane.link.desired import (
    GRE4_DEVICE,
    GRE6_DEVICE,
    TUNNEL4_DEVICE,
    TUNNEL6_DEVICE,
    sit_device,
)
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.plan import AddDevice
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.steps import demand
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl.desired import HOST
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.dataplane.usage.desired import USUAL_BITS, HostAddresses, host_meter
from lbaas.metering.trials import counting_trial
from lbaas.wire.state import GUE_PORT

_GUARD = Guard(
    endpoints=(IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")),
    nodes=(IPv4Address("192.0.2.2"), IPv6Address("2001:db8::2")),
    vips=(IPv4Address("192.0.2.3"), IPv6Address("2001:db8::3")),
    segment_sizes={4: 1440, 6: 1400},
    gue_ports=(GUE_PORT,),
    gre=True,
)


def host_trials() -> Iterator[Trial]:
    """One for each feature that a backend host's side uses."""
    for family, device in ((4, TUNNEL4_DEVICE), (6, TUNNEL6_DEVICE)):
        without = f"members with IPv{family} addresses get no packets"
        yield Trial(f"tunnel device for IPv{family}", without, partial(_add, device))
    for device, what in (
        (GRE4_DEVICE, "GRE over IPv4"),
        (GRE6_DEVICE, "GRE over IPv6"),
        (sit_device(IPv4Address("127.0.0.1")), "IPv6 in IPv4"),
    ):
        yield Trial(what, "pools that use it get no packets here", partial(_add, device))
    yield Trial("GUE", "pools with encapsulation gue get no packets here; modprobe fou", _gue)
    yield Trial("nftables: inet, sets, MSS", "the tunnel has no guard and stays shut", _guard)
    yield counting_trial(host_meter(HostAddresses(), USUAL_BITS))
    for name, value in HOST.items():
        without = "the host answers ARP for its VIPs and draws their traffic past the nodes"
        yield Trial(name, without, partial(_set, SetSysctl(name, value)))


def _add(device: str) -> None:
    with closing(LinkSocket()) as link:
        demand(link_apply.apply(link, [AddDevice(device)]))


def _gue() -> None:
    with closing(FouSocket()) as fou:
        demand(gue_apply.apply(fou, [OpenPort(Opening(IPv4Address("127.0.0.1"), GUE_PORT))]))


def _guard() -> None:
    with closing(Nft()) as nft:
        demand(guard_apply.apply(nft, [ReplaceTable(declaration(_GUARD))]))


def _set(step: SetSysctl) -> None:
    demand(sysctl_apply.apply([step]))
