"""What BIRD tells which router, by a BIRD that is a dictionary of answers."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import cast

from lbaas.dataplane.bird.control import BirdControl, BirdRefused
from lbaas.dataplane.bird.desired import Announcement, peer_protocol
from lbaas.domain.addresses import Address
from lbaas.node_agent.unheard import lacking, without_bfd
from lbaas.wire.report import Unheard
from lbaas.wire.state import Peer

FIRST, SECOND = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
SIXTH = IPv6Address("2001:db8::1")
VIPS = [IPv4Network("198.51.100.1/32"), IPv4Network("198.51.100.2/32")]


class FakeBird:
    """Tells each of *told* of those prefixes; has no session with anybody else."""

    def __init__(self, told: dict[str, list[str]]) -> None:
        self._told = told

    def command(self, line: str) -> list[str]:
        if line == "show protocols":
            return []
        if line == "show bfd sessions":
            return [
                f"{FIRST}  eth0  Up  10:34:11.389  0.300  0.900",
                f"{SECOND}  eth0  Down  10:34:11.389  0.300  0.000",
            ]
        _, _, _, protocol, *count = line.split()
        if protocol not in self._told:
            raise BirdRefused("9001 No valid tables")
        routes = self._told[protocol]
        if count:
            return [f"{len(routes)} of 9 routes for 9 networks in table master4"]
        return [
            "Table master4:",
            *(f"{each}  blackhole [lbaas_vips4 10:34] * (200)" for each in routes),
        ]


def peer(address: Address, *, bfd: bool = True) -> Peer:
    return Peer(
        name=str(address), address=address, as_number=65000, password=None, bfd=bfd, multihop=False
    )


def found(told: dict[Address, list[str]], *prefixes: IPv4Network) -> list[Unheard]:
    peers = (peer(FIRST), peer(SECOND), peer(SIXTH))
    wanted = Announcement(65001, peers, frozenset(prefixes))
    bird = FakeBird({peer_protocol(each): routes for each, routes in told.items()})
    return list(lacking(cast("BirdControl", bird), wanted))


def test_routers_that_hear_of_all_are_not_named() -> None:
    both = [str(each) for each in VIPS]
    assert found({FIRST: both, SECOND: both}, *VIPS) == []


def test_a_router_without_a_session_lacks_all_of_its_family() -> None:
    (silent,) = found({FIRST: [str(each) for each in VIPS]}, *VIPS)
    assert (silent.peer, silent.missing, silent.vips) == (SECOND, 2, ())
    assert silent.of(VIPS[0].network_address)
    assert not silent.of(IPv6Network("2001:db8:100::1").network_address)


def test_a_router_that_is_told_of_some_has_the_others_named() -> None:
    (partial,) = found({FIRST: [str(VIPS[0])], SECOND: [str(each) for each in VIPS]}, *VIPS)
    assert (partial.peer, partial.missing) == (FIRST, 1)
    assert partial.vips == (VIPS[1].network_address,)
    assert not partial.of(VIPS[0].network_address)


def test_routers_without_bfd_are_those_that_should_have_it() -> None:
    bird = cast("BirdControl", FakeBird({}))
    peers = (peer(FIRST), peer(SECOND), peer(SIXTH), peer(IPv4Address("192.0.2.4"), bfd=False))
    assert list(without_bfd(bird, Announcement(65001, peers, frozenset()))) == [SECOND, SIXTH]


def test_where_nothing_is_to_be_told_nobody_lacks_anything() -> None:
    assert found({}) == []
