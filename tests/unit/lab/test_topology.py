from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.lab.topology import (
    DATA,
    FABRIC,
    MANAGEMENT,
    MOST_MACHINES,
    ROUTER,
    SEGMENTS,
    Role,
    Topology,
)

counts = st.integers(1, MOST_MACHINES)
topologies = st.builds(Topology, nodes=counts, backends=counts, clients=counts)


def test_a_machines_number_can_be_read_off_its_addresses() -> None:
    second = Topology(nodes=2).of(Role.NODE)[1]

    assert second.name == "lb2"
    assert second.address4 == IPv4Address("10.0.10.12")
    assert second.address6 == IPv6Address("fd00:10::12")
    assert second.management == IPv4Address("10.255.1.12")


def test_clients_have_no_way_to_the_api() -> None:
    (client,) = Topology().of(Role.CLIENT)

    assert client.management is None
    with pytest.raises(KeyError, match="client1 has no cable in mgmt"):
        Topology().cable("client1", MANAGEMENT)


def test_data_cables_end_at_the_router_and_management_cables_at_the_fabric() -> None:
    topology = Topology()

    assert topology.cable("backend3", DATA).bridge_in == ROUTER
    assert topology.cable("backend3", MANAGEMENT).bridge_in == FABRIC


@given(topologies)
def test_no_name_address_or_port_is_given_twice(topology: Topology) -> None:
    names = [machine.name for machine in topology.machines]
    addresses = [address.ip for cable in topology.cables for address in cable.addresses]
    gateways = [g for s in SEGMENTS.values() for g in (s.gateway4, s.gateway6)]
    ports = [(cable.bridge_in, cable.port) for cable in topology.cables]

    assert len(set(names)) == len(names)
    assert len(set(addresses) | set(gateways)) == len(addresses) + len(gateways)
    assert len(set(ports)) == len(ports)


@given(topologies)
def test_every_gateway_is_a_neighbour(topology: Topology) -> None:
    for cable in topology.cables:
        networks = [address.network for address in cable.addresses]
        for gateway in cable.gateways:
            assert any(gateway in network for network in networks)


@pytest.mark.parametrize("count", [0, MOST_MACHINES + 1])
def test_a_lab_of_no_or_too_many_nodes_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 200 lb machines"):
        Topology(nodes=count)
