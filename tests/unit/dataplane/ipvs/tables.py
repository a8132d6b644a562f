"""Random tables of services, small enough to collide."""

from dataclasses import replace

from hypothesis import strategies as st

from lbaas.dataplane.ipvs.desired import (
    ONE_PACKET,
    UNLISTED_TUNNELS,
    Destination,
    Persistence,
    Service,
    ServiceKey,
)
from lbaas.domain.terms import Encapsulation, Forwarding
from tests.unit.dataplane.strategies import ipv4

destinations = st.builds(
    Destination,
    address=ipv4,
    forwarding=st.sampled_from([Forwarding.TUNNEL, Forwarding.DIRECT]),
    weight=st.integers(0, 2),
    encapsulation=st.sampled_from(Encapsulation),
)


def flagged(service: Service) -> Service:
    """As a desired service is: one with a tunnel that is not listed says so."""
    unlisted = any(each.encapsulation is not Encapsulation.IPIP for each in service.destinations)
    return replace(service, flags=service.flags | UNLISTED_TUNNELS) if unlisted else service


services = st.builds(
    Service,
    scheduler=st.sampled_from(["mh", "rr", "wlc"]),
    flags=st.sampled_from([0, 0x18, ONE_PACKET]),
    destinations=st.lists(destinations, unique_by=lambda each: each.address, max_size=5).map(tuple),
    persistence=st.none() | st.builds(Persistence, st.integers(1, 3), st.just(24)),
).map(flagged)
keys = st.builds(ServiceKey, family=st.sampled_from([4, 6]), mark=st.integers(1, 4))
tables = st.dictionaries(keys, services, max_size=4)
