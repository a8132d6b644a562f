"""How steps are encoded, and what is told of those that failed, by a kernel that answers with given codes."""

import errno
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import cast

from hypothesis import given

from lbaas.dataplane.ipvs.apply import Encoder, apply
from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey, ServiceTable
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.ipvs.plan import AddDestination, AddService, EditDestination, parts, plan
from lbaas.domain.terms import Forwarding
from tests.unit.dataplane.ipvs.tables import tables

FIRST, SECOND = ServiceKey(4, 1), ServiceKey(4, 2)
A, B = (Destination(IPv4Address(f"10.0.20.{n}"), Forwarding.TUNNEL, 1) for n in (11, 12))


class Kernel:
    """Refuses the commands at *places* of all that it is sent, because it has no such thing."""

    def __init__(self, *places: int) -> None:
        self._places = places
        self.sent: list[bytes] = []

    def send(self, commands: Sequence[bytes]) -> list[int]:
        first = len(self.sent)
        self.sent += commands
        places = range(first, len(self.sent))
        return [errno.ENOENT if place in self._places else 0 for place in places]


@given(observed=tables, desired=tables)
def test_a_service_goes_to_the_kernel_as_its_parts_would(
    observed: ServiceTable, desired: ServiceTable
) -> None:
    for step in plan(observed, desired).establish:
        one_by_one = [each for part in parts(step) for each in Encoder().commands(part)]
        assert [*Encoder().commands(step)] == one_by_one


def test_a_destination_is_not_taken_for_another() -> None:
    encoder = Encoder()
    steps = [EditDestination(FIRST, A), EditDestination(FIRST, B), EditDestination(SECOND, A)]
    encoded = [each for step in steps for each in encoder.commands(step)]
    assert encoded == [each for step in steps for each in Encoder().commands(step)]
    assert len(set(encoded)) == len(steps)


def test_what_failed_of_a_service_is_told_and_the_other_services_are_whole() -> None:
    steps = [
        AddService(FIRST, Service("rr", 0, (A,))),
        AddService(SECOND, Service("mh", 0, (A, B))),
    ]
    kernel = Kernel(4)  # create, add; create, add, add, schedule
    outcome = apply(cast("IpvsSocket", kernel), steps)
    ((step, error),) = outcome.failed
    assert step == AddDestination(SECOND, B)
    assert (error.operation, error.key) == ("AddDestination", step.key)
    assert outcome.applied[0] == steps[0]
    assert [*outcome.applied[1:3], step, outcome.applied[3]] == [*parts(steps[1])]


def test_more_services_than_are_encoded_together_are_all_sent() -> None:
    steps = [AddService(ServiceKey(4, mark), Service("rr", 0, (A, B))) for mark in range(1, 2001)]
    kernel = Kernel(3 * 1000)
    outcome = apply(cast("IpvsSocket", kernel), steps)
    assert len(kernel.sent) == 3 * len(steps)
    assert [step.service.mark for step, _ in outcome.failed] == [1001]
    assert len(outcome.applied) == len(steps) - 1 + 2
