from typing import Any

import pytest

from lbaas.portal.way import MOST_STOPS, State, Stop, lines, member_stop, node_stop, way

POOL: dict[str, Any] = {"id": "p", "monitor": {"kind": "tcp"}}
NODE = {
    "name": "lb1",
    "admin_state": "active",
    "applied_revision": 7,
    "programmed": True,
    "stale": False,
    "failures": [],
}


def member(address: str = "10.0.20.11", **other: object) -> dict[str, Any]:
    return {"address": address, "weight": 1, "admin_state": "active", **other}


@pytest.mark.parametrize(
    ("changes", "state", "passes"),
    [
        ({}, State.OK, True),
        ({"stale": True}, State.WAIT, True),
        ({"programmed": False, "applied_revision": 6}, State.WAIT, True),
        ({"programmed": False, "applied_revision": None}, State.WAIT, False),
        ({"admin_state": "drained"}, State.OFF, False),
        ({"programmed": False, "failures": [{"cause": "EINVAL"}]}, State.BAD, False),
    ],
)
def test_new_flows_pass_a_node_that_may_announce(
    changes: dict[str, object], state: State, *, passes: bool
) -> None:
    stop = node_stop({**NODE, **changes}, 7)
    assert (stop.state, stop.passes) == (state, passes)


@pytest.mark.parametrize(
    ("changes", "state", "passes"),
    [
        ({}, State.OK, True),
        ({"weight": 0}, State.OFF, False),
        ({"admin_state": "drained"}, State.OFF, False),
    ],
)
def test_new_flows_come_to_a_member_in_service(
    changes: dict[str, Any], state: State, *, passes: bool
) -> None:
    stop = member_stop(member(**changes), POOL)
    assert (stop.state, stop.passes) == (state, passes)


def test_an_unhealthy_member_says_who_finds_it_so_and_why() -> None:
    stop = member_stop(member(), POOL, [{"node": "lb2", "cause": "timeout"}])
    assert (stop.state, stop.note, stop.passes) == (State.BAD, "timeout (lb2)", False)


@pytest.mark.parametrize(
    ("monitor", "checking", "word"),
    [({"kind": "tcp"}, 2, "healthy"), ({"kind": "tcp"}, 0, "in service"), (None, 2, "in service")],
)
def test_a_member_is_healthy_only_if_somebody_looked(
    monitor: object, checking: int, word: str
) -> None:
    assert member_stop(member(), {"id": "p", "monitor": monitor}, (), checking).word == word


def test_a_member_that_some_nodes_find_well_still_gets_flows() -> None:
    stop = member_stop(member(), POOL, [{"node": "lb2", "cause": "timeout"}], checking=2)
    assert (stop.state, stop.passes) == (State.WAIT, True)


def test_what_nodes_find_is_said_of_the_member_that_they_mean() -> None:
    sick = {"pool_id": "p", "address": "10.0.20.12", "cause": "refused"}
    status = {"revision": 7, "nodes": [{**NODE, "unhealthy": [sick]}]}
    drawn = way(status, [(POOL, [member(), member("10.0.20.12")])], None)
    assert [stop.state for stop in drawn.members] == [State.OK, State.BAD]


def test_a_member_of_two_pools_is_drawn_once_as_it_is_worst() -> None:
    pools = [(POOL, [member()]), ({"id": "q", "monitor": None}, [member(admin_state="drained")])]
    drawn = way({"revision": 7, "nodes": [NODE]}, pools, None)
    assert [stop.state for stop in drawn.members] == [State.OFF]


def test_a_crowd_is_not_drawn_but_counted() -> None:
    members = [member(f"10.0.20.{number}") for number in range(30)]
    drawn = way({"revision": 7, "nodes": [NODE]}, [(POOL, members)], None)
    assert (len(drawn.members), drawn.members_hidden) == (MOST_STOPS, 30 - MOST_STOPS)


def test_without_a_router_nothing_arrives() -> None:
    drawn = way({"revision": 7, "nodes": [NODE]}, [(POOL, [member()])], [])
    assert not any(line.passes for line in lines(drawn.routers, drawn.nodes))


def test_lines_join_the_middles_of_stops() -> None:
    left = [Stop("a", State.OK, "")]
    right = [Stop("b", State.OK, ""), Stop("c", State.OFF, "", passes=False)]
    assert [(line.start, line.end, line.passes) for line in lines(left, right)] == [
        (50.0, 25.0, True),
        (50.0, 75.0, False),
    ]
