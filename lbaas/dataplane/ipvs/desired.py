"""The services a node must hold, in the kernel's terms."""

from dataclasses import dataclass
from typing import TypeAlias

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding, Scheduler
from lbaas.errors import ForeignMark
from lbaas.wire.state import ClusterState, VirtualService

# Scheduler flags of ``mh``, from include/uapi/linux/ip_vs.h.
MH_FALLBACK = 0x0008  # a backend at weight 0 gives its flows to the next, instead of dropping them
MH_PORT = 0x0010  # the source port is hashed too, so one client spreads over the backends

SCHEDULER_FLAGS = {Scheduler.MH: MH_FALLBACK | MH_PORT}


@dataclass(frozen=True, order=True)
class ServiceKey:
    """What IPVS knows a fwmark service by."""

    family: int  # 4 or 6
    mark: int

    def __str__(self) -> str:
        return f"{self.mark:#x}/v{self.family}"


@dataclass(frozen=True)
class Destination:
    """One backend of one service. *forwarding* is None where the kernel holds a method that is not ours."""

    address: Address
    forwarding: Forwarding | None
    weight: int


@dataclass(frozen=True)
class Service:
    """A service with its destinations in insertion order.

    The order is part of the value: the kernel builds the ``mh`` table by walking the destinations, so
    nodes that agree on the set but not on the order send some flows to different backends.
    """

    scheduler: str
    flags: int
    destinations: tuple[Destination, ...]


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


def _service(service: VirtualService) -> Service:
    return Service(
        scheduler=service.scheduler,
        flags=SCHEDULER_FLAGS.get(service.scheduler, 0),
        destinations=tuple(
            Destination(backend.address, service.forwarding, backend.weight)
            for backend in service.backends
        ),
    )
