"""What a virtual service is in the kernel's terms."""

from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import pytest

from lbaas.dataplane.ipvs.desired import (
    HASH_FALLBACK,
    HASH_PORT,
    ONE_PACKET,
    UNLISTED_TUNNELS,
    Destination,
    Persistence,
    Service,
    ServiceKey,
    service_table,
)
from lbaas.domain.terms import Encapsulation, Forwarding, Scheduler
from lbaas.errors import ForeignMark
from lbaas.wire.state import (
    Affinity,
    Backend,
    ClusterState,
    MarkRange,
    Tunnel,
    VirtualService,
)

MARK = 0x10000000
SERVICE = VirtualService(
    mark=MARK,
    family=4,
    scheduler=Scheduler.MH,
    forwarding=Forwarding.TUNNEL,
    backends=(
        Backend(address=IPv4Address("10.0.20.11"), weight=1),
        Backend(address=IPv6Address("fd00:20::12"), weight=0),
    ),
    vip=IPv4Address("198.51.100.1"),
)


def compiled(**changes: object) -> Service:
    state = ClusterState(
        cluster=UUID(int=1),
        revision=1,
        as_number=65001,
        marks=MarkRange(first=MARK, last=MARK + 9),
        nodes={},
        peers=(),
        vips=(),
        announced=(),
        services=(SERVICE.model_copy(update=changes),),
        flows=(),
    )
    return service_table(state)[ServiceKey(4, MARK)]


def test_a_service_of_maglev_hashes_ports_and_falls_back() -> None:
    assert compiled() == Service(
        "mh",
        HASH_FALLBACK | HASH_PORT,
        (
            Destination(IPv4Address("10.0.20.11"), Forwarding.TUNNEL, 1),
            Destination(IPv6Address("fd00:20::12"), Forwarding.TUNNEL, 0),
        ),
    )


@pytest.mark.parametrize(
    ("scheduler", "affinity", "flags"),
    [
        (Scheduler.MH, Affinity(hash_ports=False), HASH_FALLBACK),
        (Scheduler.SH, Affinity(), HASH_FALLBACK | HASH_PORT),
        (Scheduler.SH, Affinity(hash_ports=False), HASH_FALLBACK),
        (Scheduler.WLC, Affinity(), 0),
        (Scheduler.RR, Affinity(one_packet=True), ONE_PACKET),
    ],
)
def test_affinity_becomes_flags(scheduler: Scheduler, affinity: Affinity, flags: int) -> None:
    assert compiled(scheduler=scheduler, affinity=affinity).flags == flags


@pytest.mark.parametrize(("asked", "prefix"), [(None, 32), (24, 24), (64, 32)])
def test_persistence_is_of_one_address_unless_a_prefix_is_given(
    asked: int | None, prefix: int
) -> None:
    affinity = Affinity(persistence_s=300, persistence_prefix=asked)
    assert compiled(affinity=affinity).persistence == Persistence(300, prefix)


@pytest.mark.parametrize(
    ("tunnel", "port"),
    [
        (Tunnel(encapsulation=Encapsulation.GUE), 6080),
        (Tunnel(encapsulation=Encapsulation.GUE, port=5555), 5555),
        (Tunnel(encapsulation=Encapsulation.GRE), 0),
    ],
)
def test_a_tunnel_that_the_listing_does_not_tell_is_flagged(tunnel: Tunnel, port: int) -> None:
    service = compiled(tunnel=tunnel)
    assert service.flags & UNLISTED_TUNNELS
    assert {(each.encapsulation, each.port) for each in service.destinations} == {
        (tunnel.encapsulation, port)
    }


def test_packets_that_go_directly_have_no_tunnel() -> None:
    tunnel = Tunnel(encapsulation=Encapsulation.GUE)
    service = compiled(forwarding=Forwarding.DIRECT, tunnel=tunnel)
    assert not service.flags & UNLISTED_TUNNELS
    assert service.destinations[0] == Destination(IPv4Address("10.0.20.11"), Forwarding.DIRECT, 1)


def test_a_mark_of_another_cluster_is_refused() -> None:
    with pytest.raises(ForeignMark, match="0x99"):
        compiled(mark=0x99)
