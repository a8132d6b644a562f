"""The services a node must hold, in the kernel's terms."""

from dataclasses import dataclass
from typing import TypeAlias

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation, Forwarding, Scheduler
from lbaas.errors import ForeignMark
from lbaas.wire.state import Affinity, Backend, ClusterState, VirtualService

# Flags of a service, from include/uapi/linux/ip_vs.h. Of the three bits that are the scheduler's, ``mh`` and
# ``sh`` read the first two, and mean the same by them.
PERSISTENT = 0x0001  # a client stays with its backend for a while, whatever the scheduler says
ONE_PACKET = 0x0004  # each datagram is scheduled for itself
HASH_FALLBACK = (
    0x0008  # a backend at weight 0 gives its flows to the next, instead of dropping them
)
HASH_PORT = 0x0010  # the source port is hashed too, so one client spreads over the backends

# No scheduler reads the third. We set it where some destination has a tunnel that /proc/net/ip_vs does not tell
# from another, so that a restarted agent knows of which services it must ask for the destinations one by one.
UNLISTED_TUNNELS = 0x0020

HASHING = frozenset({Scheduler.MH, Scheduler.SH})


@dataclass(frozen=True, order=True)
class ServiceKey:
    """What IPVS knows a fwmark service by."""

    family: int  # 4 or 6
    mark: int

    def __str__(self) -> str:
        return f"{self.mark:#x}/v{self.family}"


@dataclass(frozen=True)
class Destination:
    """One backend of one service. *forwarding* is None where the kernel holds a method that is not ours.

    A tunnel's *encapsulation*, and GUE's UDP port, 0 for the others; packets that go directly have IPIP's.
    The address may be of the other family than the service's clients, through a tunnel.
    """

    address: Address
    forwarding: Forwarding | None
    weight: int
    encapsulation: Encapsulation = Encapsulation.IPIP
    port: int = 0


@dataclass(frozen=True)
class Persistence:
    """Clients of one prefix of *prefix* bits stay with their backend until *timeout_s* after the last flow."""

    timeout_s: int
    prefix: int


@dataclass(frozen=True)
class Service:
    """A service with its destinations in insertion order.

    The order is part of the value: the kernel builds the ``mh`` table by walking the destinations, so
    nodes that agree on the set but not on the order send some flows to different backends.
    """

    scheduler: str
    flags: int
    destinations: tuple[Destination, ...]
    persistence: Persistence | None = None


ServiceTable: TypeAlias = dict[ServiceKey, Service]


def service_table(state: ClusterState) -> ServiceTable:
    """The services of *state*. Raises ForeignMark if one is keyed by a mark outside the cluster's range."""
    for service in state.services:
        if service.mark not in state.marks:
            raise ForeignMark(
                f"service {service.mark:#x} is outside the cluster's marks "
                f"{state.marks.first:#x}-{state.marks.last:#x}"
            )
    return {ServiceKey(each.family, each.mark): _service(each) for each in state.services}


def service_flags(scheduler: Scheduler, affinity: Affinity) -> int:
    """The flags of a service, but for PERSISTENT, which its persistence implies."""
    flags = ONE_PACKET if affinity.one_packet else 0
    if scheduler in HASHING:
        flags |= HASH_FALLBACK | (HASH_PORT if affinity.hash_ports else 0)
    return flags


def _service(service: VirtualService) -> Service:
    flags = service_flags(service.scheduler, service.affinity)
    destinations = tuple(_destination(service, backend) for backend in service.backends)
    if any(each.encapsulation is not Encapsulation.IPIP for each in destinations):
        flags |= UNLISTED_TUNNELS
    return Service(service.scheduler, flags, destinations, _persistence(service))


def _destination(service: VirtualService, backend: Backend) -> Destination:
    if service.forwarding is not Forwarding.TUNNEL:
        return Destination(backend.address, service.forwarding, backend.weight)
    tunnel = service.tunnel
    return Destination(
        backend.address,
        service.forwarding,
        backend.weight,
        tunnel.encapsulation,
        tunnel.udp_port or 0,
    )


def _persistence(service: VirtualService) -> Persistence | None:
    affinity = service.affinity
    if affinity.persistence_s is None:
        return None
    whole = service.vip.max_prefixlen
    return Persistence(affinity.persistence_s, min(affinity.persistence_prefix or whole, whole))
