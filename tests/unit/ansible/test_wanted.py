"""Tasks as wanted objects, steps as a diff."""

from lbaas.ansible.wanted import difference, said, surplus, wanted_of
from lbaas.cli.reconcile import Change, Create, Remove, SetMembers, Step

TASK = {
    "name": "shop",
    "state": "present",
    "token": "secret",
    "wait": True,
    "labels": None,
    "listeners": [
        {"name": "http", "protocol": "tcp", "ports": ["80"], "pool": "web", "labels": None}
    ],
}


def test_what_a_task_leaves_out_is_not_wanted_and_what_is_its_own_is_no_field() -> None:
    assert said(TASK) == {
        "name": "shop",
        "listeners": [{"name": "http", "protocol": "tcp", "ports": ["80"], "pool": "web"}],
    }


def test_a_vip_and_its_listeners_are_wanted_objects() -> None:
    vip, listener = wanted_of("vips", TASK)
    assert (vip.kind, vip.fields) == ("vip", {"name": "shop"})
    assert (listener.key, listener.fields["pool_id"]) == ("shop/http", "web")
    assert listener.fields["ports"] == [{"first": 80, "last": 80}]


def test_listeners_that_are_there_and_not_wanted_are_surplus() -> None:
    observed: dict[tuple[str, str], dict[str, object]] = {
        ("vip", "shop"): {},
        ("listener", "shop/http"): {},
        ("listener", "shop/dns"): {},
    }
    assert surplus(observed, wanted_of("vips", TASK), "listener") == [
        Remove("listener", "shop/dns")
    ]


def test_a_diff_has_each_object_before_and_after() -> None:
    member = {"address": "10.0.20.11", "weight": 1, "admin_state": "active", "labels": {}}
    heavy = {**member, "weight": 5}
    steps: list[Step] = [
        Create("pool", "db", {"name": "db"}),
        Change("vip", "shop", {"labels": {}}, {"labels": {"a": "b"}}),
        SetMembers("web", ({**member, "id": "x"},), (heavy,)),
        Remove("listener", "shop/dns"),
    ]
    gone = {"name": "dns"}
    assert difference(steps, {("listener", "shop/dns"): gone}) == {
        "before": {
            "vip shop": {"labels": {}},
            "members of web": [member],
            "listener shop/dns": gone,
        },
        "after": {
            "pool db": {"name": "db"},
            "vip shop": {"labels": {"a": "b"}},
            "members of web": [heavy],
        },
    }
