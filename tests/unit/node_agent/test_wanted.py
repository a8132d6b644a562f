"""A node that turns from state to state ends where one that starts with the last state begins."""

from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.ipvs.plan import plan as plan_ipvs
from lbaas.dataplane.link.plan import plan as plan_link
from lbaas.dataplane.marks.plan import plan as plan_marks
from lbaas.domain.addresses import Address, host_prefix
from lbaas.node_agent.picture import announced, links, marks, services
from lbaas.node_agent.removal import Leave
from lbaas.node_agent.retiring import RETIRE_S
from lbaas.node_agent.view import as_it_is
from lbaas.node_agent.wanted import Wanted
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Entries
from lbaas.wire.reading import ClusterParts
from lbaas.wire.report import HeldRemoval
from lbaas.wire.state import ClusterState, MarkRange
from tests.unit.dataplane.ipvs.test_plan import carry_out as carry_out_ipvs
from tests.unit.dataplane.link.test_plan import carry_out as carry_out_link
from tests.unit.dataplane.marks.test_plan import carry_out as carry_out_marks

CLUSTER = {
    "cluster": str(UUID(int=1)),
    "as_number": 65001,
    "marks": {"first": 0x100, "last": 0x1FF},
}
MARKS = MarkRange(first=0x100, last=0x1FF)
VIPS = ("198.51.100.1", "198.51.100.2", "2001:db8:100::1")


@st.composite
def vip_entries(draw: st.DrawFn) -> dict[str, Any]:
    """VIPs by their number, each present or not; a mark is one listener's, but may move between states."""
    free = draw(st.permutations(range(0x100, 0x106)))
    return {
        f"vip/{number}": {"address": address, "listeners": listeners}
        for number, address in enumerate(VIPS)
        if (listeners := draw(_listeners(free[2 * number : 2 * number + 2]))) is not None
    }


def _listeners(free: list[int]) -> st.SearchStrategy[list[dict[str, Any]] | None]:
    ports = st.tuples(st.integers(1, 4), st.integers(0, 2))
    one = st.builds(
        lambda port, weights: {
            "protocol": "tcp",
            "ports": [{"first": port[0], "last": port[0] + port[1]}],
            "scheduler": "mh",
            "forwarding": "tunnel",
            "backends": [
                {"address": f"10.0.20.{number}", "weight": weight}
                for number, weight in enumerate(weights, 11)
            ],
        },
        ports,
        st.lists(st.integers(0, 2), max_size=3),
    )
    several = st.lists(one, max_size=2, unique_by=lambda each: each["protocol"])
    marked = several.map(
        lambda some: [each | {"mark": mark} for each, mark in zip(some, free, strict=False)]
    )
    return st.none() | marked


def parts(vips: Mapping[str, Any], revision: int = 1) -> ClusterParts:
    values = {"cluster": CLUSTER, **vips}
    entries = Entries.of({key: canonical_json(value) for key, value in values.items()})
    return ClusterParts.read(entries, revision)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(history=st.lists(st.tuples(vip_entries(), st.sampled_from([0.0, 1.0, RETIRE_S]))))
def test_plans_on_what_changed_lead_where_plans_on_everything_lead(
    history: list[tuple[dict[str, Any], float]],
) -> None:
    clock = Clock()
    wanted = Wanted(as_it_is, clock)
    link, ipvs, table = links({}), services({}), marks({}, None)
    for revision, (vips, pause_s) in enumerate(history):
        clock.now_s += pause_s
        change = wanted.turn_to(parts(vips, revision), ())
        to_link = plan_link(links(change.before), links(change.after))
        link = carry_out_link(link, to_link.establish + to_link.withdraw)
        to_ipvs = plan_ipvs(services(change.before), services(change.after))
        ipvs = carry_out_ipvs(ipvs, to_ipvs.establish + to_ipvs.withdraw)
        to_marks = plan_marks(marks(change.before, None), marks(change.after, None))
        table = carry_out_marks(table, to_marks.establish + to_marks.withdraw)
        assert link.aliases == links(wanted.picture).aliases
        assert ipvs == services(wanted.picture)
        assert table == marks(wanted.picture, None)


@given(history=st.lists(vip_entries(), min_size=1))
def test_once_all_has_retired_a_node_holds_what_one_that_starts_then_holds(
    history: list[dict[str, Any]],
) -> None:
    clock = Clock()
    turned, started = Wanted(as_it_is, clock), Wanted(as_it_is, clock)
    for vips in history:
        turned.turn_to(parts(vips), ())
    clock.now_s += RETIRE_S
    turned.turn_to(parts(history[-1]), ())
    started.turn_to(parts(history[-1]), ())
    assert turned.picture == started.picture
    assert not turned.pending


@given(before=vip_entries(), after=vip_entries())
def test_what_differs_changes_and_nothing_else(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    wanted = Wanted(as_it_is, Clock())
    wanted.turn_to(parts(before), ())
    change = wanted.turn_to(parts(after), ())
    keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert change.vips == {ip_address(VIPS[int(key[-1])]) for key in keys}
    assert not wanted.turn_to(parts(after, 2), ())


@given(history=st.lists(vip_entries()))
def test_only_what_is_wanted_now_is_announced(history: list[dict[str, Any]]) -> None:
    wanted = Wanted(as_it_is, Clock())
    for vips in history:
        wanted.turn_to(parts(vips), ())
        listening = {ip_address(each["address"]) for each in vips.values() if each["listeners"]}
        assert announced(wanted.picture).keys() == {host_prefix(vip) for vip in listening}


def test_the_view_is_asked_about_what_changed_what_is_reviewed_and_what_is_gone() -> None:
    asked: list[tuple[tuple[Address, ...], frozenset[Address]]] = []

    def view(state: ClusterState, vips: frozenset[Address]) -> ClusterState:
        if vips:
            asked.append((state.vips, vips))
        return state.model_copy(update={"announced": ()})

    first, second = IPv4Address(VIPS[0]), IPv4Address(VIPS[1])
    both, one = (
        parts({f"vip/{number}": {"address": VIPS[number], "listeners": []} for number in numbers})
        for numbers in ((0, 1), (1,))
    )
    wanted = Wanted(view, Clock())
    wanted.turn_to(both, ())
    wanted.turn_to(both, ())
    wanted.turn_to(one, ())
    wanted.turn_to(one, [second])
    assert asked == [
        ((first, second), frozenset({first, second})),
        ((), frozenset({first})),
        ((second,), frozenset({second})),
    ]


def many(numbers: range) -> dict[str, Any]:
    """VIPs with a listener each."""
    return {
        f"vip/{number}": {
            "address": f"198.51.100.{number}",
            "listeners": [
                {
                    "mark": 0x100 + number,
                    "protocol": "tcp",
                    "ports": [{"first": 80, "last": 80}],
                    "scheduler": "mh",
                    "forwarding": "tunnel",
                    "backends": [],
                }
            ],
        }
        for number in numbers
    }


def test_a_state_that_takes_most_away_takes_nothing_until_it_is_confirmed() -> None:
    clock = Clock()
    wanted = Wanted(as_it_is, clock)
    wanted.turn_to(parts(many(range(40))), ())
    full = dict(wanted.picture)
    leave = Leave(50, None, MARKS)

    assert not wanted.turn_to(parts(many(range(16)), 7), (), leave)
    assert wanted.picture == full
    assert wanted.guard.held == HeldRemoval(revision=7, services=24, of=40)
    change = wanted.turn_to(parts(many(range(16)) | many(range(50, 51)), 8), (), leave)
    assert change.vips == {IPv4Address("198.51.100.50")}  # what is new comes all the same
    assert wanted.guard.held == HeldRemoval(revision=7, services=24, of=40)

    fewer = parts(many(range(16)) | many(range(50, 51)), 9)
    change = wanted.turn_to(fewer, (), Leave(50, 7, MARKS))
    assert not change.after.keys() & announced(change.after).keys()
    clock.now_s += RETIRE_S
    wanted.turn_to(fewer, (), Leave(50, 7, MARKS))
    started = Wanted(as_it_is, clock)
    started.turn_to(fewer, ())
    assert wanted.picture == started.picture


def test_services_of_checks_may_all_go_at_once() -> None:
    """They are of no client, so the guard neither keeps them nor counts them."""
    checked = True

    def view(state: ClusterState, vips: frozenset[Address]) -> ClusterState:
        (marks, mark) = (MarkRange(first=0x100, last=0x2FF), 0x200)
        probes = [
            each.model_copy(update={"mark": mark + each.mark - 0x100}) for each in state.services
        ]
        return state.model_copy(
            update={
                "services": (*state.services, *(probes if checked else ())),
                "marks": marks,
            }
        )

    wanted = Wanted(view, Clock())
    everything = parts(many(range(20)))
    wanted.turn_to(everything, ())
    assert len(services(wanted.picture)) == 40
    checked = False
    wanted.turn_to(everything, list(wanted.picture), Leave(10, None, MARKS))
    assert wanted.guard.held is None
    assert len(services(wanted.picture)) == 20


def test_a_local_vip_is_looked_at_again_when_the_cluster_has_other_nodes() -> None:
    """Until lb2 is there, the backend is on no node of the cluster, and everybody's."""
    vips = many(range(1))
    vips["vip/0"]["listeners"][0] |= {
        "local": True,
        "backends": [{"address": "10.0.20.1", "weight": 1, "node": "lb2"}],
    }
    settings = {f"node/{UUID(int=n)}": {"name": f"lb{n}", "admin_state": "active"} for n in (1, 2)}
    first, *_ = settings
    wanted = Wanted(as_it_is, Clock())
    wanted.turn_to(parts(vips | {first: settings[first]}), (), here="lb1")
    assert announced(wanted.picture)
    wanted.turn_to(parts(vips | settings, 2), (), here="lb1")
    assert not announced(wanted.picture)
    wanted.turn_to(parts(vips | settings, 3), (), here="lb2")
    assert announced(wanted.picture)
