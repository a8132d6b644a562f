"""The IPVS law on a real kernel: apply(plan(o, d), o) == d, and nothing to do afterwards."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbaas.dataplane.genetlink import command
from lbaas.dataplane.ipvs.apply import apply, apply_connections
from lbaas.dataplane.ipvs.connections import ConnectionTable, sync_daemons
from lbaas.dataplane.ipvs.connections import plan as plan_connections
from lbaas.dataplane.ipvs.desired import (
    ONE_PACKET,
    UNLISTED_TUNNELS,
    Destination,
    Persistence,
    Service,
    ServiceKey,
    ServiceTable,
)
from lbaas.dataplane.ipvs.netlink import Command, IpvsSocket, encode_service
from lbaas.dataplane.ipvs.observe import closely, observe, observe_connections
from lbaas.dataplane.ipvs.plan import (
    ORDERED_SCHEDULERS,
    AddDestination,
    AddService,
    RemoveService,
    SetScheduler,
    parts,
    plan,
)
from lbaas.domain.terms import Encapsulation, Forwarding
from lbaas.wire.state import MarkRange, Timeouts

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
KEY = ServiceKey(4, 0x10000000)


@pytest.fixture
def ipvs() -> Iterator[IpvsSocket]:
    with closing(IpvsSocket()) as opened:
        yield opened
        apply(opened, [RemoveService(key) for key in observe(opened, MARKS)])


WAYS: list[tuple[Forwarding, Encapsulation, int]] = [
    (Forwarding.DIRECT, Encapsulation.IPIP, 0),
    (Forwarding.TUNNEL, Encapsulation.IPIP, 0),
    (Forwarding.TUNNEL, Encapsulation.GUE, 6080),
    (Forwarding.TUNNEL, Encapsulation.GUE, 5555),
    (Forwarding.TUNNEL, Encapsulation.GRE, 0),
]


def destinations(family: int) -> st.SearchStrategy[Destination]:
    """Direct ones are of the service's own family, as the kernel demands."""
    return st.builds(
        lambda own, number, way, weight: Destination(
            address(family if own or way[0] is Forwarding.DIRECT else 10 - family, number),
            way[0],
            weight,
            *way[1:],
        ),
        st.booleans(),
        st.integers(11, 14),
        st.sampled_from(WAYS),
        st.integers(0, 100),
    )


def address(family: int, number: int) -> IPv4Address | IPv6Address:
    return IPv4Address(f"10.0.20.{number}") if family == 4 else IPv6Address(f"fd00:20::{number}")


def persistence(family: int) -> st.SearchStrategy[Persistence | None]:
    lengths = st.integers(1, 32 if family == 4 else 128)
    return st.none() | st.builds(Persistence, st.integers(1, 3600), lengths)


@st.composite
def services(draw: st.DrawFn, family: int) -> Service:
    """Flagged, as the plan would have it, where a tunnel is not plain IP in IP."""
    chosen = draw(st.lists(destinations(family), unique_by=lambda d: d.address, max_size=5))
    unlisted = any(each.encapsulation is not Encapsulation.IPIP for each in chosen)
    return Service(
        draw(st.sampled_from(["mh", "rr", "wrr", "wlc", "lc", "sh"])),
        draw(st.sampled_from([0, 0x18, 0x08, ONE_PACKET])) | (UNLISTED_TUNNELS if unlisted else 0),
        tuple(chosen),
        draw(persistence(family)),
    )


@st.composite
def tables(draw: st.DrawFn) -> ServiceTable:
    keys = draw(
        st.sets(
            st.tuples(st.sampled_from([4, 6]), st.integers(MARKS.first, MARKS.first + 3)),
            max_size=4,
        )
    )
    return {ServiceKey(family, mark): draw(services(family)) for family, mark in keys}


def canonical(table: ServiceTable) -> dict[ServiceKey, object]:
    return {
        key: each
        if each.scheduler in ORDERED_SCHEDULERS
        else (each.scheduler, each.flags, each.persistence, frozenset(each.destinations))
        for key, each in table.items()
    }


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(desired=tables())
def test_one_plan_brings_the_kernel_to_any_table_and_the_next_is_empty(
    ipvs: IpvsSocket, desired: ServiceTable
) -> None:
    steps = plan(observe(ipvs, MARKS), desired)
    for half in (steps.establish, steps.withdraw):
        assert apply(ipvs, half).failed == ()
    after = observe(ipvs, MARKS)
    assert canonical(after) == canonical(desired)
    assert len(plan(after, desired)) == 0


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(desired=tables())
def test_both_ways_of_looking_see_the_same(ipvs: IpvsSocket, desired: ServiceTable) -> None:
    steps = plan(observe(ipvs, MARKS), desired)
    for half in (steps.establish, steps.withdraw):
        apply(ipvs, half)
    entries = [entry for entry in ipvs.services() if entry.mark is not None]
    assert observe(ipvs, MARKS) == closely(ipvs, entries, MARKS)


def test_a_service_that_is_not_ours_is_neither_seen_nor_touched(ipvs: IpvsSocket) -> None:
    foreign = command(Command.NEW_SERVICE, encode_service(4, 0x77, "rr"))
    assert ipvs.send([foreign]) == [0]
    try:
        assert observe(ipvs, MARKS) == {}
        assert len(plan(observe(ipvs, MARKS), {})) == 0
        assert [entry.mark for entry in ipvs.services()] == [0x77]
    finally:
        assert ipvs.send([command(Command.DEL_SERVICE, encode_service(4, 0x77))]) == [0]


def test_errors_come_back_at_the_step_that_they_befell(ipvs: IpvsSocket) -> None:
    missing = SetScheduler(KEY, "mh", 0)
    steps = plan({}, {KEY: Service("rr", 0, ())}).establish
    outcome = apply(ipvs, [missing, *steps])
    assert outcome.applied == steps
    ((step, error),) = outcome.failed
    assert step == missing
    assert "no such service" in error.cause


def test_of_a_service_that_could_not_be_made_whole_the_parts_are_told(ipvs: IpvsSocket) -> None:
    backend = Destination(IPv4Address("10.0.20.11"), Forwarding.TUNNEL, 1)
    twice = AddService(KEY, Service("mh", 0, (backend, backend)))
    fine = AddService(ServiceKey(4, KEY.mark + 1), Service("mh", 0, (backend,)))
    outcome = apply(ipvs, [twice, fine])
    ((step, error),) = outcome.failed
    assert step == AddDestination(KEY, backend)
    assert "has it already" in error.cause
    created, added, scheduled, whole = outcome.applied
    assert [created, added, step, scheduled] == [*parts(twice)]
    assert whole == fine
    assert observe(ipvs, MARKS)[KEY] == Service("mh", 0, (backend,))


def test_more_messages_than_one_datagram_holds_are_all_carried_out(ipvs: IpvsSocket) -> None:
    marks = range(MARKS.first, MARKS.first + 500)
    made = [command(Command.NEW_SERVICE, encode_service(4, mark, "rr")) for mark in marks]
    assert ipvs.send(made) == [0] * 500
    assert ipvs.send(made[:3]) == [errno.EEXIST] * 3
    assert len(observe(ipvs, MARKS)) == 500


def test_timeouts_and_sync_daemons_come_to_be_what_is_wanted(ipvs: IpvsSocket) -> None:
    before = observe_connections(ipvs)
    wanted = ConnectionTable(Timeouts(tcp_s=600, udp_s=30), sync_daemons(UUID(int=5), "eth0"))
    other = ConnectionTable(Timeouts(tcp_s=600, udp_s=30), sync_daemons(UUID(int=6), "eth0"))
    for table in (wanted, other, before):
        steps = plan_connections(observe_connections(ipvs), table).establish
        assert apply_connections(ipvs, steps).failed == ()
        assert observe_connections(ipvs) == table
        assert len(plan_connections(observe_connections(ipvs), table)) == 0


def test_a_thousand_failures_are_told_each_by_itself(ipvs: IpvsSocket) -> None:
    unknown = [command(Command.DEL_SERVICE, encode_service(4, mark)) for mark in range(1, 1001)]
    assert ipvs.send(unknown) == [errno.ESRCH] * 1000


def test_after_answers_were_lost_the_socket_still_tells_the_truth(ipvs: IpvsSocket) -> None:
    """A receive buffer too small for the errors of one batch: the kernel drops some, and says so."""
    unknown = [command(Command.DEL_SERVICE, encode_service(4, mark)) for mark in range(1, 65)]
    ipvs._generic._netlink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    with pytest.raises(OSError, match="No buffer space"):
        ipvs.send(unknown)
    ipvs._generic._netlink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    wanted = {
        KEY: Service("rr", 0, (Destination(IPv4Address("10.0.20.11"), Forwarding.TUNNEL, 1),))
    }
    assert apply(ipvs, plan(observe(ipvs, MARKS), wanted).establish).failed == ()
    assert ipvs.timeouts()
    assert observe(ipvs, MARKS) == wanted
