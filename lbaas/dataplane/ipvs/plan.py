"""Which steps turn the kernel's services into the desired ones."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from lbaas.dataplane.delta import delta
from lbaas.dataplane.ipvs.desired import (
    UNLISTED_TUNNELS,
    Destination,
    Persistence,
    Service,
    ServiceKey,
    ServiceTable,
)
from lbaas.dataplane.steps import Plan
from lbaas.domain.addresses import Address

# Schedulers whose choice depends on the order of the destinations, not only on their set.
ORDERED_SCHEDULERS = frozenset({"mh", "sh"})

# A new service starts with the cheapest scheduler: ``mh`` rebuilds its table at every added destination,
# so setting it last makes a large start 2.5 times cheaper.
FIRST_SCHEDULER = "rr"


@dataclass(frozen=True, slots=True)
class _ServiceStep:
    service: ServiceKey

    @property
    def key(self) -> str:
        return str(self.service)


@dataclass(frozen=True, slots=True)
class AddService(_ServiceStep):
    """The service is there, and is as *content* says. It takes several steps, one of which may fail: ``parts``."""

    content: Service


@dataclass(frozen=True, slots=True)
class CreateService(_ServiceStep):
    """The service exists, without destinations, under FIRST_SCHEDULER.

    Of its *flags* it has only UNLISTED_TUNNELS: an agent that starts must not take its tunnels for others.
    """

    flags: int = 0


@dataclass(frozen=True, slots=True)
class SetScheduler(_ServiceStep):
    """The service chooses so."""

    scheduler: str
    flags: int
    persistence: Persistence | None = None


@dataclass(frozen=True, slots=True)
class RemoveService(_ServiceStep):
    """The service and its destinations are gone."""


@dataclass(frozen=True, slots=True)
class AddDestination(_ServiceStep):
    """The destination is the service's last."""

    destination: Destination

    @property
    def key(self) -> str:
        return f"{self.service} -> {self.destination.address}"


@dataclass(frozen=True, slots=True)
class EditDestination(_ServiceStep):
    """Weight, forwarding method and tunnel are the given ones; its flows and its place stay."""

    destination: Destination

    @property
    def key(self) -> str:
        return f"{self.service} -> {self.destination.address}"


@dataclass(frozen=True, slots=True)
class RemoveDestination(_ServiceStep):
    """The destination is gone; flows to it have ended."""

    address: Address

    @property
    def key(self) -> str:
        return f"{self.service} -> {self.address}"


# What the kernel does at once.
Part: TypeAlias = (
    CreateService
    | SetScheduler
    | RemoveService
    | AddDestination
    | EditDestination
    | RemoveDestination
)

IpvsStep: TypeAlias = AddService | Part


def plan(observed: ServiceTable, desired: ServiceTable) -> Plan[IpvsStep]:
    """Steps that turn *observed* into *desired*, in an order the kernel accepts.

    A service that stays is changed in place: it forwards all the while. Only whole services are
    withdrawn; a destination that goes is part of establishing the desired set, since nothing that
    is announced depends on it.
    Source: ipvsadm(8), net/netfilter/ipvs/ip_vs_ctl.c, net/netfilter/ipvs/ip_vs_mh.c.
    """
    difference = delta(observed, desired)
    establish: list[IpvsStep] = [AddService(*each) for each in difference.added.items()]
    for key, service in difference.changed.items():
        establish.extend(_change(key, observed[key], service))
    return Plan(tuple(establish), tuple(RemoveService(key) for key in difference.removed))


def parts(step: IpvsStep) -> Iterator[Part]:
    """What there is to *step*, in order; itself where it is a part."""
    if not isinstance(step, AddService):
        yield step
        return
    service = step.content
    yield CreateService(step.service, first_flags(service))
    for destination in service.destinations:
        yield AddDestination(step.service, destination)
    if scheduled_last(service):
        yield SetScheduler(step.service, service.scheduler, service.flags, service.persistence)


def first_flags(service: Service) -> int:
    """The flags with which it is created, under FIRST_SCHEDULER."""
    return service.flags & UNLISTED_TUNNELS


def scheduled_last(service: Service) -> bool:
    """True if there is more to how it chooses than how it was created."""
    chosen = (service.scheduler, service.flags, service.persistence)
    return chosen != (FIRST_SCHEDULER, first_flags(service), None)


def _change(key: ServiceKey, old: Service, new: Service) -> Iterator[IpvsStep]:
    # While there may be an unlisted tunnel, the service says so: an agent killed half-way finds it.
    between = replace(new, flags=new.flags | old.flags & UNLISTED_TUNNELS)
    yield from _schedule(key, old, between)
    yield from _change_destinations(key, old, new)
    yield from _schedule(key, between, new)


def _schedule(key: ServiceKey, old: Service, new: Service) -> Iterator[Part]:
    chosen = (new.scheduler, new.flags, new.persistence)
    if (old.scheduler, old.flags, old.persistence) != chosen:
        yield SetScheduler(key, *chosen)


def _change_destinations(key: ServiceKey, old: Service, new: Service) -> Iterator[IpvsStep]:
    kept = _kept(old, new)
    before = {each.address: each for each in old.destinations}
    for address in before:
        if address not in kept:
            yield RemoveDestination(key, address)
    for destination in new.destinations:
        if destination.address not in kept:
            yield AddDestination(key, destination)
        elif before[destination.address] != destination:
            yield EditDestination(key, destination)


def _kept(old: Service, new: Service) -> frozenset[Address]:
    """The destinations that can stay where they are.

    The kernel only appends. Under an ordered scheduler the kept ones must therefore be the head of the
    new order, in that order; what comes after is removed and added again. Members are ordered by age,
    so that happens only after a member was removed and added back between two looks of this node.
    """
    present = {each.address: place for place, each in enumerate(old.destinations)}
    wanted = [each.address for each in new.destinations]
    if new.scheduler not in ORDERED_SCHEDULERS:
        return frozenset(wanted) & present.keys()
    head: list[Address] = []
    for address in wanted:
        if address not in present or (head and present[address] < present[head[-1]]):
            break
        head.append(address)
    return frozenset(head)
