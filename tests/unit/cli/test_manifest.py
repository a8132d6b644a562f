"""What a file says, and what is refused of it."""

from typing import Any

import pytest

from lbaas.cli.manifest import BadManifest, parse


def test_what_is_named_by_others_comes_first_whatever_the_order_of_the_file() -> None:
    wanted = parse(
        {
            "listeners": [
                {"name": "http", "vip": "web", "protocol": "tcp", "ports": [80], "pool": "p"}
            ],
            "vips": [{"name": "web"}],
            "pools": [{"name": "p"}],
        }
    )
    assert [(one.kind, one.key) for one in wanted] == [
        ("pool", "p"),
        ("vip", "web"),
        ("listener", "web/http"),
    ]


def test_a_vip_may_hold_its_listeners_and_they_their_pools() -> None:
    listener = {"name": "http", "protocol": "tcp", "ports": [80, "90-99", {"first": 70}]}
    wanted = parse(
        {"vips": [{"name": "web", "listeners": [listener | {"pool": {"members": ["10.0.0.1"]}}]}]}
    )
    pool, vip, made = wanted
    assert pool.fields == {"name": "web-http", "members": [{"address": "10.0.0.1"}]}
    assert vip.fields == {"name": "web"}
    assert made.fields == {
        "name": "http",
        "vip_id": "web",
        "protocol": "tcp",
        "ports": [{"first": 80, "last": 80}, {"first": 90, "last": 99}, {"first": 70, "last": 70}],
        "pool_id": "web-http",
    }


def test_an_object_inside_is_whole_and_a_member_only_what_is_said() -> None:
    (pool,) = parse({"pools": [{"name": "p", "monitor": {"kind": "tcp"}, "members": ["10.0.0.1"]}]})
    assert {"rise", "fall", "interval_s"} <= set(pool.fields["monitor"])
    assert pool.fields["members"] == [{"address": "10.0.0.1"}]
    assert set(pool.fields) == {"name", "monitor", "members"}


def test_values_are_spelled_as_the_api_spells_them() -> None:
    (tenant,) = parse({"tenants": [{"name": "t", "backend_prefixes": ["2001:DB8:0::/32"]}]})
    assert tenant.fields["backend_prefixes"] == ["2001:db8::/32"]


def test_an_operators_file_names_what_it_refers_to() -> None:
    _, _, pool = parse(
        {
            "address-pools": [
                {"name": "v4", "cluster": "edge", "prefix": "203.0.113.0/24", "tenants": ["t", "u"]}
            ],
            "clusters": [{"name": "edge", "as_number": 65001}],
            "tenants": [{"name": "t"}],
        }
    )
    assert pool.fields["cluster_id"] == "edge"
    assert pool.fields["tenant_ids"] == ["t", "u"]


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (None, "no sections"),
        ({"tokens": [{"name": "t"}]}, "no section 'tokens'; possible: tenants, clusters"),
        ({"vips": {"name": "web"}}, "vips: not a list"),
        ({"vips": [{"address": "192.0.2.1"}]}, r"vips\[0\]: an object with a name"),
        (
            {"vips": [{"name": "web", "size": 2}]},
            r"vips\[0\] \(web\): there is no field 'size'; possible: address",
        ),
        ({"pools": [{"name": "p"}, {"name": "p"}]}, "pool p is there twice"),
        (
            {"pools": [{"name": "p", "members": ["x"]}]},
            r"pools\[0\] \(p\)\.members\.0\.address: 'x'",
        ),
        (
            {"pools": [{"name": "p", "members": ["10.0.0.1,weight=a"]}]},
            r"\(p\)\.members: 'a' is no number",
        ),
        ({"vips": [{"name": "v", "listeners": [5]}]}, r"\(v\)\.listeners\[0\]: not an object"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(document: Any, what: str) -> None:
    with pytest.raises(BadManifest, match=what):
        parse(document)
