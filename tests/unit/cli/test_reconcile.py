"""From what is to what is wanted: the steps, and the law that they lead there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.cli.manifest import BadManifest, Wanted, parse
from lbaas.cli.reconcile import Change, Create, Observed, Remove, SetMembers, Step, plan, same

Json = dict[str, Any]


def done(observed: Observed, steps: list[Step]) -> dict[tuple[str, str], Json]:
    """What is there when *steps* are done, as a server would show it: with more fields than were said."""
    after = {place: dict(fields) for place, fields in observed.items()}
    for step in steps:
        match step:
            case Create(kind, key, fields):
                after[kind, key] = {"id": key, **fields}
                _set_members(after[kind, key], fields.get("members", ()))
            case Change(kind, key, _, fields):
                after[kind, key] |= fields
            case SetMembers(key, _, members):
                _set_members(after["pool", key], members)
            case Remove(kind, key):
                del after[kind, key]
    return after


def _set_members(pool: Json, members: Any) -> None:
    defaults = {"weight": 1, "admin_state": "active", "labels": {}}
    pool["members"] = [{"id": m["address"], **defaults, **m} for m in members]


NAMES = st.sampled_from(["a", "b", "c"])
MEMBERS = st.lists(
    st.fixed_dictionaries(
        {"address": st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])},
        optional={"weight": st.integers(0, 3)},
    ),
    max_size=3,
    unique_by=lambda member: member["address"],
)
POOLS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "scheduler": st.sampled_from(["mh", "sh"]),
            "labels": st.dictionaries(NAMES, NAMES, max_size=2),
            "members": MEMBERS,
            "monitor": st.sampled_from([None, {"kind": "tcp"}, {"kind": "icmp", "rise": 3}]),
        },
    ),
    max_size=3,
    unique_by=lambda pool: str(pool["name"]),
)
VIPS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES}, optional={"labels": st.dictionaries(NAMES, NAMES, max_size=2)}
    ),
    max_size=3,
    unique_by=lambda vip: str(vip["name"]),
)
FILES = st.fixed_dictionaries({"pools": POOLS, "vips": VIPS}).map(parse)


@given(FILES, FILES, st.booleans())
def test_when_the_steps_are_done_the_same_file_gives_none(
    before: list[Wanted], wanted: list[Wanted], prune: bool
) -> None:
    observed = done({}, plan({}, before))
    after = done(observed, plan(observed, wanted, prune=prune))
    assert plan(after, wanted, prune=prune) == []
    if prune:
        kinds = {one.kind for one in wanted}
        assert {place for place in after if place[0] in kinds} == {
            (one.kind, one.key) for one in wanted
        }


def test_only_what_differs_is_changed() -> None:
    observed = {
        ("pool", "p"): {"name": "p", "scheduler": "mh", "labels": {"a": "b"}, "members": []}
    }
    wanted = parse({"pools": [{"name": "p", "scheduler": "sh", "labels": {"a": "b"}}]})
    assert plan(observed, wanted) == [Change("pool", "p", {"scheduler": "mh"}, {"scheduler": "sh"})]


def test_a_drain_by_hand_survives_a_file_that_does_not_speak_of_it() -> None:
    drained = {"address": "10.0.0.1", "weight": 2, "admin_state": "drained", "labels": {}}
    observed = {("pool", "p"): {"name": "p", "members": [drained]}}
    assert plan(observed, parse({"pools": [{"name": "p", "members": ["10.0.0.1"]}]})) == []
    two = parse({"pools": [{"name": "p", "members": ["10.0.0.1", "10.0.0.2"]}]})
    (step,) = plan(observed, two)
    assert isinstance(step, SetMembers)
    assert step.members[0] == drained
    assert str(step).splitlines() == ["~ members of pool p", "  + 10.0.0.2"]


def test_removals_come_last_and_in_the_order_in_which_they_are_allowed() -> None:
    observed = {
        ("pool", "old"): {"name": "old"},
        ("vip", "old"): {"name": "old"},
        ("listener", "old/http"): {"name": "http"},
        ("tenant", "t"): {"name": "t"},
    }
    wanted = parse(
        {
            "vips": [
                {
                    "name": "v",
                    "listeners": [{"name": "l", "protocol": "tcp", "ports": [1], "pool": {}}],
                }
            ]
        }
    )
    steps = plan(observed, wanted, prune=True)
    assert [type(step) for step in steps] == [Create] * 3 + [Remove] * 3
    assert [str(step) for step in steps[3:]] == ["- listener old/http", "- vip old", "- pool old"]


def test_what_can_t_be_changed_is_said_with_the_way_out() -> None:
    observed = {("vip", "v"): {"name": "v", "address": "192.0.2.1"}}
    with pytest.raises(
        BadManifest, match=r"address is 192.0.2.1 and can't become .*lbaas vip delete"
    ):
        plan(observed, parse({"vips": [{"name": "v", "address": "192.0.2.2"}]}))


def test_what_is_never_shown_is_not_compared() -> None:
    peer = {"name": "r", "cluster_id": "c", "address": "192.0.2.1", "as_number": 1}
    document = {
        "peers": [
            {"name": "r", "cluster": "c", "address": "192.0.2.1", "as_number": 1, "password": "x"}
        ]
    }
    assert plan({("peer", "c/r"): peer}, parse(document)) == []


def test_lists_are_sets() -> None:
    assert same(["a", "b"], ["b", "a"])
    assert same(
        [{"first": 1, "last": 1}, {"first": 3, "last": 4}],
        [{"first": 3, "last": 4}, {"first": 1, "last": 1}],
    )
    assert not same(["a"], ["a", "a"])
    assert not same({"a": 1}, {"a": 1, "b": 2})
    assert not same(None, {})
