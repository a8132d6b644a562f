"""Which devices a host has, and which of them hold which VIP."""

from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import pytest

from lbaas.dataplane.link.desired import (
    Alias,
    Kind,
    host_links,
    is_ours,
    kind_of,
    receiving_v4,
    sit_device,
    sit_endpoint,
    tunnel_devices,
)
from lbaas.domain.terms import Encapsulation
from lbaas.wire.state import HostState, Tunnel

E4, E6 = IPv4Address("10.0.20.11"), IPv6Address("fd00:20::11")
SIT = "lbsit0a00140b"
V4, V6 = IPv4Address("198.51.100.1"), IPv6Address("2001:db8:100::1")
GRE, GUE = (Tunnel(encapsulation=Encapsulation(kind)) for kind in ("gre", "gue"))


def host(*endpoints: IPv4Address | IPv6Address, tunnels: tuple[Tunnel, ...] = ()) -> HostState:
    return HostState(
        host=UUID(int=1),
        revision=1,
        endpoints=endpoints,
        vips=(V4, V6),
        nodes=(),
        tunnels=(Tunnel(), *tunnels),
    )


@pytest.mark.parametrize(
    ("state", "devices"),
    [
        (host(), set()),
        (host(E4, E6), {"lbtun4", "lbtun6", SIT}),
        (host(E6), {"lbtun6"}),
        (host(E4), {"lbtun4", SIT}),
        (host(E4, E6, tunnels=(GUE,)), {"lbtun4", "lbtun6", SIT}),
        (host(E4, E6, tunnels=(GRE,)), {"lbtun4", "lbtun6", SIT, "lbgre4", "lbgre6"}),
    ],
    ids=["none", "both", "v6", "v4", "gue", "gre"],
)
def test_a_host_has_the_devices_of_its_tunnels(state: HostState, devices: set[str]) -> None:
    assert tunnel_devices(state) == devices


def test_an_ipv4_vip_is_on_every_device_that_may_receive_it_and_an_ipv6_vip_on_one() -> None:
    assert host_links(host(E4, E6, tunnels=(GRE,))).aliases == {
        *(Alias(device, V4) for device in ("lbtun4", "lbtun6", "lbgre4", "lbgre6")),
        Alias("lbtun6", V6),
    }


def test_ipv6_in_ipv4_has_a_device_of_its_own_that_needs_no_ipv4_address() -> None:
    aliases = host_links(host(E4)).aliases
    assert aliases == {Alias("lbtun4", V4), Alias(SIT, V6)}
    assert receiving_v4(["lbtun4", SIT]) == {"lbtun4"}


def test_the_name_of_such_a_device_says_its_endpoint() -> None:
    name = sit_device(E4)
    assert (is_ours(name), kind_of(name), sit_endpoint(name)) == (True, Kind.SIT, E4)
    assert not is_ours("lbsit")
    assert not is_ours("sit0")
