"""Laws of the plan for one Service, and the steps of the cases that users see."""

from dataclasses import replace
from ipaddress import ip_address
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.domain.terms import Protocol
from lbaas.kube.desired import Wanted, wanted
from lbaas.kube.held import Held, HeldPool
from lbaas.kube.plan import (
    CreateListener,
    CreatePool,
    CreateVip,
    Delete,
    PatchListener,
    SetMembers,
    Step,
    plan,
)
from lbaas.kube.records import Service
from tests.unit.kube.fake_lbaas import FakeLbaas
from tests.unit.kube.samples import OWNER, around, endpoint, port, service

ADDRESSES = st.sampled_from(["", "198.51.100.7", "198.51.100.8"])
PORTS = st.lists(
    st.builds(
        lambda number, protocol: port(number, protocol=protocol),
        st.sampled_from([53, 80, 443]),
        st.sampled_from(list(Protocol)),
    ),
    min_size=1,
    max_size=4,
    unique=True,
)
SERVICES = st.builds(
    lambda ports, address, families, affinity_s: service(
        *ports, requested=address, families=families, affinity_s=affinity_s
    ),
    PORTS,
    ADDRESSES,
    st.sampled_from([(4,), (4, 6)]),
    st.sampled_from([None, 600]),
)
MEMBERS = st.lists(st.integers(1, 5), unique=True)
WANTED = st.builds(
    lambda one, members: want(one, *(f"10.0.0.{number}" for number in members)), SERVICES, MEMBERS
)


def want(one: Service, *members: str) -> Wanted:
    return wanted(one, around(*map(endpoint, members)), OWNER, {})


def bring(lbaas: FakeLbaas, target: Wanted | None, upto: int | None = None) -> list[Step]:
    """The steps of a plan, of which the first *upto* were done."""
    if target is not None:
        lbaas.go_on_with(target)
    steps = list(plan(lbaas.held, target))
    for step in steps[:upto]:
        lbaas.do(step)
    return steps


@given(st.lists(WANTED, min_size=1, max_size=4))
def test_a_plan_leads_to_what_is_wanted_whatever_was_before_and_then_there_is_nothing_to_do(
    targets: list[Wanted],
) -> None:
    lbaas = FakeLbaas()
    for target in targets:
        bring(lbaas, target)
        assert plan(lbaas.held, target) == ()
        assert len(lbaas.held.vips) == len(target.vips)
        (pool,) = lbaas.held.pools
        assert pool.members == target.members


@given(st.lists(st.tuples(WANTED, st.integers(0, 8)), min_size=1, max_size=4), WANTED)
def test_a_plan_that_was_cut_off_anywhere_is_taken_up_again(
    cut: list[tuple[Wanted, int]], last: Wanted
) -> None:
    lbaas = FakeLbaas()
    for target, upto in cut:
        bring(lbaas, target, upto)
    bring(lbaas, last)
    assert plan(lbaas.held, last) == ()
    bring(lbaas, None)
    assert lbaas.held == Held()


def test_a_new_service_gets_pool_vip_and_listener_in_this_order() -> None:
    steps = plan(Held(), want(service(), "10.0.0.1"))
    assert [type(step) for step in steps] == [CreatePool, CreateVip, CreateListener]


def test_pods_that_come_and_go_are_one_change_of_the_set() -> None:
    lbaas = FakeLbaas()
    bring(lbaas, want(service(), "10.0.0.1", "10.0.0.2"))
    (step,) = bring(lbaas, want(service(), "10.0.0.2", "10.0.0.3"))
    assert isinstance(step, SetMembers)


def test_another_port_keeps_the_listener_and_so_its_mark() -> None:
    lbaas = FakeLbaas()
    bring(lbaas, want(service(port(80))))
    (step,) = bring(lbaas, want(service(port(80), port(443))))
    assert isinstance(step, PatchListener)
    assert step.ports == (80, 443)


def test_another_address_is_had_before_the_old_one_is_given_back() -> None:
    lbaas = FakeLbaas()
    bring(lbaas, want(service(requested="198.51.100.7")))
    steps = bring(lbaas, want(service(requested="198.51.100.8")))
    assert [type(step) for step in steps] == [CreateVip, Delete, CreateListener, Delete]


def test_an_address_that_is_no_longer_asked_for_stays() -> None:
    lbaas = FakeLbaas()
    bring(lbaas, want(service(requested="198.51.100.7")))
    assert bring(lbaas, want(service())) == []
    assert lbaas.held.vips[0].address == ip_address("198.51.100.7")


def test_of_two_pools_the_older_stays_it_has_the_flows() -> None:
    lbaas = FakeLbaas()
    target = want(service(), "10.0.0.1")
    bring(lbaas, target)
    (pool,) = lbaas.held.pools
    younger = HeldPool(UUID(int=99), pool.settings, pool.members)
    lbaas.held = replace(lbaas.held, pools=(younger, pool))
    assert bring(lbaas, target) == [Delete("pools", younger.id)]
