"""The law of the IPVS plan, and the order in which it works."""

from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given

from lbaas.dataplane.ipvs.desired import (
    Destination,
    Service,
    ServiceKey,
    ServiceTable,
)
from lbaas.dataplane.ipvs.plan import (
    FIRST_SCHEDULER,
    ORDERED_SCHEDULERS,
    AddDestination,
    AddService,
    CreateService,
    EditDestination,
    IpvsStep,
    RemoveDestination,
    RemoveService,
    SetScheduler,
    parts,
    plan,
)
from lbaas.domain.terms import Forwarding
from tests.unit.dataplane.ipvs.tables import flagged, tables

KEY = ServiceKey(4, 0x10000000)
A, B, C = (Destination(IPv4Address(f"10.0.20.{n}"), Forwarding.TUNNEL, 1) for n in (11, 12, 13))


def service(*destinations: Destination, scheduler: str = "mh", flags: int = 0x18) -> Service:
    return Service(scheduler, flags, destinations)


def in_parts(steps: tuple[IpvsStep, ...]) -> list[IpvsStep]:
    return [part for step in steps for part in parts(step)]


def carry_out(table: ServiceTable, steps: tuple[IpvsStep, ...]) -> ServiceTable:
    """What the kernel holds after *steps*: it appends, edits in place, and refuses the impossible."""
    result = dict(table)
    for step in in_parts(steps):
        match step:
            case CreateService(service=key, flags=flags):
                assert key not in result
                result[key] = Service(FIRST_SCHEDULER, flags, ())
            case RemoveService(service=key):
                del result[key]
            case SetScheduler(service=key, scheduler=scheduler, flags=flags, persistence=kept_s):
                result[key] = Service(scheduler, flags, result[key].destinations, kept_s)
            case AddDestination(service=key, destination=new):
                assert new.address not in {each.address for each in result[key].destinations}
                result[key] = _with(result[key], (*result[key].destinations, new))
            case EditDestination(service=key, destination=new):
                assert new.address in {each.address for each in result[key].destinations}
                result[key] = _with(
                    result[key],
                    tuple(
                        new if each.address == new.address else each
                        for each in result[key].destinations
                    ),
                )
            case RemoveDestination(service=key, address=address):
                kept = tuple(e for e in result[key].destinations if e.address != address)
                assert len(kept) == len(result[key].destinations) - 1
                result[key] = _with(result[key], kept)
    return result


def _with(service: Service, destinations: tuple[Destination, ...]) -> Service:
    return replace(service, destinations=destinations)


def canonical(table: ServiceTable) -> dict[ServiceKey, object]:
    """The table, its destinations without order where the scheduler gives order no meaning."""
    return {
        key: each
        if each.scheduler in ORDERED_SCHEDULERS
        else (each.scheduler, each.flags, each.persistence, frozenset(each.destinations))
        for key, each in table.items()
    }


@given(observed=tables, desired=tables)
def test_carrying_out_the_plan_gives_the_desired_table(
    observed: ServiceTable, desired: ServiceTable
) -> None:
    steps = plan(observed, desired)
    result = carry_out(observed, steps.establish + steps.withdraw)
    assert canonical(result) == canonical(desired)


@given(observed=tables, desired=tables)
def test_at_every_step_a_service_with_a_tunnel_that_is_not_listed_says_so(
    observed: ServiceTable, desired: ServiceTable
) -> None:
    steps = in_parts(plan(observed, desired).establish)
    for count in range(len(steps) + 1):
        between = carry_out(observed, tuple(steps[:count]))
        assert all(flagged(each) == each for each in between.values())


@given(table=tables)
def test_a_table_needs_no_steps_to_become_itself(table: ServiceTable) -> None:
    assert len(plan(table, table)) == 0


@given(observed=tables, desired=tables)
def test_establishing_removes_no_service(observed: ServiceTable, desired: ServiceTable) -> None:
    steps = plan(observed, desired)
    assert not any(isinstance(step, RemoveService) for step in steps.establish)
    assert all(isinstance(step, RemoveService) for step in steps.withdraw)


def test_a_new_service_gets_its_scheduler_last() -> None:
    steps = plan({}, {KEY: service(A, B)})
    assert steps.establish == (AddService(KEY, service(A, B)),)
    assert in_parts(steps.establish) == [
        CreateService(KEY),
        AddDestination(KEY, A),
        AddDestination(KEY, B),
        SetScheduler(KEY, "mh", 0x18),
    ]


def test_a_new_member_is_one_step() -> None:
    steps = plan({KEY: service(A)}, {KEY: service(A, B)})
    assert steps.establish == (AddDestination(KEY, B),)


def test_a_weight_is_edited_in_place() -> None:
    drained = Destination(A.address, A.forwarding, 0)
    steps = plan({KEY: service(A, B)}, {KEY: service(drained, B)})
    assert steps.establish == (EditDestination(KEY, drained),)


def test_a_leaving_member_moves_no_other() -> None:
    steps = plan({KEY: service(A, B, C)}, {KEY: service(A, C)})
    assert steps.establish == (RemoveDestination(KEY, B.address),)


def test_a_member_that_came_back_goes_to_the_end_as_on_every_node() -> None:
    steps = plan({KEY: service(A, B)}, {KEY: service(B, A)})
    assert steps.establish == (RemoveDestination(KEY, A.address), AddDestination(KEY, A))


def test_order_means_nothing_to_weighted_least_connections() -> None:
    observed, desired = service(A, B, scheduler="wlc"), service(B, A, scheduler="wlc")
    assert len(plan({KEY: observed}, {KEY: desired})) == 0
