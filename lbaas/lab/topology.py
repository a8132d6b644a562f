"""What the lab's datacentre looks like: names, addresses, cables. Pure.

::

    client1 ─┐                      ┌─ lb1 … lbN          (segment nodes)
     …       ├─ router (BIRD, ECMP) ┤
    clientC ─┘   (segment clients)  └─ backend1 … backendM (segment backends)

    lb1 … lbN, backend1 … backendM ── management ── the host, where the API listens

Each segment is a bridge; the router holds the first address of its three. All of them speak IPv4 and
IPv6, but for management, which is IPv4 only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

FIRST_HOST = 11  # lb1 is .11, so that its number can be read off its address
MOST_MACHINES = 200  # of one kind: .11 to .210

ROUTER = "router"
FABRIC = "fabric"  # the namespace that holds the management bridge and nothing of the datacentre
DATA = "eth0"
MANAGEMENT = "mgmt"

ROUTER_AS = 65000
NODES_AS = 65001

VIPS4 = IPv4Network("198.51.100.0/24")  # RFC 5737
VIPS6 = IPv6Network("2001:db8:100::/64")  # RFC 3849

API_ADDRESS = IPv4Interface("10.255.0.1/16")
FABRIC_ADDRESS = IPv4Interface("10.255.0.2/16")
API_PORT = 8080


class Role(StrEnum):
    """What a machine is there for."""

    CLIENT = "client"
    NODE = "lb"
    BACKEND = "backend"


@dataclass(frozen=True)
class Segment:
    """One L2 segment: a bridge of the router, which is everyone's gateway there."""

    name: str
    prefix4: IPv4Network
    prefix6: IPv6Network

    @property
    def gateway4(self) -> IPv4Address:
        return self.prefix4[1]

    @property
    def gateway6(self) -> IPv6Address:
        return self.prefix6[1]


SEGMENTS = {
    Role.CLIENT: Segment("clients", IPv4Network("10.0.1.0/24"), IPv6Network("fd00:1::/64")),
    Role.NODE: Segment("nodes", IPv4Network("10.0.10.0/24"), IPv6Network("fd00:10::/64")),
    Role.BACKEND: Segment("backends", IPv4Network("10.0.20.0/24"), IPv6Network("fd00:20::/64")),
}

MANAGEMENT_BLOCKS = {
    Role.NODE: IPv4Network("10.255.1.0/24"),
    Role.BACKEND: IPv4Network("10.255.2.0/24"),
}


@dataclass(frozen=True)
class Machine:
    """One namespace of the lab with its addresses."""

    name: str
    role: Role
    address4: IPv4Address
    address6: IPv6Address
    management: IPv4Address | None

    @property
    def segment(self) -> Segment:
        return SEGMENTS[self.role]


@dataclass(frozen=True)
class Cable:
    """Joins *interface* of *machine* to *port* of *bridge*, which stands in namespace *bridge_in*."""

    machine: str
    interface: str
    bridge_in: str
    bridge: str
    port: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    gateways: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True)
class Topology:
    """How many of each machine, and how fast BFD looks."""

    nodes: int = 2
    backends: int = 3
    clients: int = 1
    bfd_interval_ms: int = 300
    bfd_multiplier: int = 3

    def __post_init__(self) -> None:
        for role, count in self._counts().items():
            if not 1 <= count <= MOST_MACHINES:
                raise ValueError(f"a lab has 1 to {MOST_MACHINES} {role} machines, not {count}")

    def of(self, role: Role) -> tuple[Machine, ...]:
        """The machines of *role*, in the order of their numbers."""
        return tuple(_machine(role, number) for number in range(1, self._counts()[role] + 1))

    @property
    def machines(self) -> tuple[Machine, ...]:
        return tuple(machine for role in Role for machine in self.of(role))

    @property
    def cables(self) -> tuple[Cable, ...]:
        return tuple(cable for machine in self.machines for cable in _cables(machine))

    def cable(self, machine: str, interface: str) -> Cable:
        """The cable in *interface* of *machine*. Raises KeyError if there is none."""
        for cable in self.cables:
            if (cable.machine, cable.interface) == (machine, interface):
                return cable
        raise KeyError(f"{machine} has no cable in {interface}")

    def _counts(self) -> dict[Role, int]:
        return {Role.CLIENT: self.clients, Role.NODE: self.nodes, Role.BACKEND: self.backends}


def _machine(role: Role, number: int) -> Machine:
    segment = SEGMENTS[role]
    host = FIRST_HOST + number - 1
    block = MANAGEMENT_BLOCKS.get(role)
    return Machine(
        name=f"{role}{number}",
        role=role,
        address4=segment.prefix4[host],
        address6=_decimal_looking(segment.prefix6, host),
        management=block[host] if block else None,
    )


def _decimal_looking(prefix: IPv6Network, host: int) -> IPv6Address:
    """``fd00:10::11`` for host 11: the last group shows the decimal number that IPv4 shows."""
    return prefix[int(str(host), 16)]


def _cables(machine: Machine) -> Iterator[Cable]:
    segment = machine.segment
    yield Cable(
        machine=machine.name,
        interface=DATA,
        bridge_in=ROUTER,
        bridge=segment.name,
        port=machine.name,
        addresses=(
            IPv4Interface((machine.address4, segment.prefix4.prefixlen)),
            IPv6Interface((machine.address6, segment.prefix6.prefixlen)),
        ),
        gateways=(segment.gateway4, segment.gateway6),
    )
    if machine.management:
        yield Cable(
            machine=machine.name,
            interface=MANAGEMENT,
            bridge_in=FABRIC,
            bridge=MANAGEMENT,
            port=machine.name,
            addresses=(IPv4Interface((machine.management, API_ADDRESS.network.prefixlen)),),
            gateways=(),
        )
