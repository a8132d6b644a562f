"""Which part of a host's state concerns which pod."""

from ipaddress import ip_address

from lbaas.host_agent.pods import share
from tests.unit.dataplane.guard.test_desired import STATE

ONE, OTHER, SIX = map(ip_address, ("10.0.20.1", "10.0.20.2", "fd00:20::1"))
VIP, VIP6 = map(ip_address, ("198.51.100.1", "2001:db8:100::1"))
PODS = STATE.model_copy(
    update={
        "endpoints": (ONE, OTHER, SIX),
        "vips": (VIP, VIP6),
        "arrivals": {VIP: (ONE,), VIP6: (SIX,)},
    }
)


def test_a_pod_has_the_vips_that_come_to_one_of_its_addresses() -> None:
    own = share(PODS, {ONE, SIX, ip_address("192.0.2.1")})
    assert (own.endpoints, own.vips, own.nodes) == ((ONE, SIX), (VIP, VIP6), STATE.nodes)


def test_a_pod_to_which_no_vip_comes_has_none() -> None:
    own = share(PODS, {OTHER})
    assert (own.endpoints, own.vips) == ((OTHER,), ())


def test_a_server_that_does_not_say_where_a_vip_comes_to_means_everywhere() -> None:
    assert share(PODS.model_copy(update={"arrivals": {}}), {OTHER}).vips == (VIP, VIP6)


def test_a_namespace_that_is_not_the_hosts_has_nothing() -> None:
    assert share(PODS.model_copy(update={"arrivals": {}}), {ip_address("192.0.2.1")}).vips == ()
