"""Where GUE is open, and what leads from one set of ports to another."""

from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.gue.desired import Opening, openings, owned
from lbaas.dataplane.gue.plan import OpenPort, plan
from lbaas.domain.terms import Encapsulation
from lbaas.wire.state import GUE_PORT, HostState, Tunnel
from tests.unit.dataplane.strategies import addresses

E4, E6 = IPv4Address("10.0.20.11"), IPv6Address("fd00:20::11")

sets = st.frozensets(st.builds(Opening, addresses, st.integers(1, 3)), max_size=5)


def host(*tunnels: Tunnel) -> HostState:
    return HostState(
        host=UUID(int=1), revision=1, endpoints=(E4, E6), vips=(), nodes=(), tunnels=tunnels
    )


def test_every_gue_port_is_open_at_every_endpoint() -> None:
    named = Tunnel(encapsulation=Encapsulation.GUE, port=5555)
    unnamed = Tunnel(encapsulation=Encapsulation.GUE)
    assert openings(host(Tunnel(), named, unnamed)) == {
        Opening(endpoint, port) for endpoint in (E4, E6) for port in (5555, GUE_PORT)
    }


def test_other_tunnels_open_no_port() -> None:
    assert openings(host(Tunnel(), Tunnel(encapsulation=Encapsulation.GRE))) == frozenset()


def test_a_port_that_is_bound_elsewhere_is_not_ours() -> None:
    ours, foreign = Opening(E4, 5555), Opening(IPv4Address("192.0.2.1"), 5555)
    assert owned([ours, foreign], (E4, E6)) == {ours}


@given(observed=sets, desired=sets)
def test_carrying_out_the_plan_gives_the_desired_ports(
    observed: frozenset[Opening], desired: frozenset[Opening]
) -> None:
    held = set(observed)
    steps = plan(observed, desired)
    for step in steps.establish + steps.withdraw:
        if isinstance(step, OpenPort):
            assert step.opening not in held
            held.add(step.opening)
        else:
            held.remove(step.opening)
    assert held == desired
    assert len(plan(desired, desired)) == 0
