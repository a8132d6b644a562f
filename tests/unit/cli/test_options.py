"""A body's fields as options, and options as a body."""

import pytest
from pydantic import BaseModel

from lbaas.cli.options import body_of, nearest, options_of
from lbaas.cli.shapes import Form, fields_of, kind_of, singular, stem
from lbaas.cli.values import BadValue
from lbaas.client.kinds import BACKEND_HOSTS, KINDS, MEMBERS, VIPS
from lbaas.wire.operators import AddressPoolCreate, TenantPatch, TokenCreate
from lbaas.wire.tenants import ListenerCreate, PoolPatch, VipCreate

BODIES = [
    body
    for kind in (*KINDS.values(), MEMBERS)
    for body in (kind.create, kind.patch)
    if body is not None
]


def given(model: type[BaseModel], **flags: object) -> dict[str, object]:
    """Values by flag, as a command gets them by key."""
    keys = {
        option.flag.removeprefix("--").replace("-", "_"): option.key for option in options_of(model)
    }
    return {keys[flag]: value for flag, value in flags.items()}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_field_of_every_body_has_an_option_of_its_own(body: type[BaseModel]) -> None:
    options = options_of(body)
    assert {option.path[0] for option in options} == set(body.model_fields)
    assert len({option.flag for option in options}) == len(options)
    assert len({option.key for option in options}) == len(options)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_id_in_a_body_is_of_a_kind_that_can_be_named(body: type[BaseModel]) -> None:
    inner = [
        field.shape.inner if field.shape.form is Form.LIST else field.shape
        for field in fields_of(body)
    ]
    for field, shape in zip(fields_of(body), inner, strict=True):
        if shape is not None and shape.form is Form.REFERENCE:
            assert field.reference is not None, field.name


def test_names_of_fields_lead_to_kinds() -> None:
    assert kind_of("dual_vip_id") is VIPS
    assert kind_of("host_id") is BACKEND_HOSTS
    assert kind_of("colour") is None
    assert [stem(name) for name in ("pool_id", "tenant_ids", "name")] == ["pool", "tenants", "name"]


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("ports", "port"),
        ("prefixes", "prefix"),
        ("addresses", "address"),
        ("communities", "community"),
        ("statuses", "status"),
        ("reserved", "reserved"),
    ],
)
def test_an_option_of_a_list_takes_one_of_it(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_options_make_a_body_as_the_api_has_it() -> None:
    options = options_of(ListenerCreate)
    typed = given(
        ListenerCreate, vip="web", protocol="udp", port=["53", "8000-8099"], label=["a=b"]
    )
    assert body_of(options, typed) == {
        "vip_id": "web",
        "protocol": "udp",
        "ports": [{"first": 53, "last": 53}, {"first": 8000, "last": 8099}],
        "labels": {"a": "b"},
    }


def test_what_is_not_said_is_not_in_the_body() -> None:
    assert body_of(options_of(VipCreate), {}) == {}


def test_lists_are_repeated_or_have_commas_and_words_become_values() -> None:
    options = options_of(AddressPoolCreate)
    typed = given(AddressPoolCreate, tenant=["a,b", "c"], quarantine_s="0x10")
    assert body_of(options, typed) == {"tenant_ids": ["a", "b", "c"], "quarantine_s": 16}


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("web=tcp/80", {"ports": [{"first": 80, "last": 80}]}),
        (
            "web=tcp/80,90-99@db",
            {"ports": [{"first": 80, "last": 80}, {"first": 90, "last": 99}], "pool_id": "db"},
        ),
        ("web=tcp/all", {"all_ports": True}),
    ],
)
def test_a_listener_is_written_in_one_word(text: str, listener: dict[str, object]) -> None:
    body = body_of(options_of(VipCreate), given(VipCreate, listener=[text]))
    assert body == {"listeners": [{"name": "web", "protocol": "tcp", **listener}]}


def test_an_object_in_a_list_is_its_first_field_and_others_by_name_or_json() -> None:
    options = options_of(KINDS["pool"].create)
    typed = given(
        KINDS["pool"].create, member=["10.0.0.1", "10.0.0.2,weight=3", '{"address": "10.0.0.3"}']
    )
    assert body_of(options, typed)["members"] == [
        {"address": "10.0.0.1"},
        {"address": "10.0.0.2", "weight": 3},
        {"address": "10.0.0.3"},
    ]


def test_a_part_is_laid_over_the_present_whole() -> None:
    present = {
        "monitor": {"kind": "http", "interval_s": 5, "http": {"path": "/", "method": "GET"}},
        "labels": {"env": "prod", "tier": "1"},
    }
    typed = given(
        PoolPatch, monitor_interval_s="7", monitor_http_path="/up", label=["tier-", "x=y"]
    )
    assert body_of(options_of(PoolPatch), typed, present) == {
        "monitor": {"kind": "http", "interval_s": 7, "http": {"path": "/up", "method": "GET"}},
        "labels": {"env": "prod", "x": "y"},
    }
    assert present["monitor"]["interval_s"] == 5  # type: ignore[index]  # a dict of dicts


@pytest.mark.parametrize(
    ("model", "flags", "what"),
    [
        (TenantPatch, {"quotas_vips": "many"}, "--quotas-vips: 'many' is no number"),
        (VipCreate, {"label": ["env"]}, "--label: 'env': write key=value"),
        (VipCreate, {"listener": ["web"]}, "--listener: 'web': write NAME=PROTOCOL/PORTS"),
        (ListenerCreate, {"port": ["http"]}, "--port: 'http': write a port"),
        (
            KINDS["pool"].create,
            {"member": ["10.0.0.1,size=2"]},
            "no field 'size'; possible: address, weight",
        ),
        (KINDS["pool"].create, {"member": ["10.0.0.1,2"]}, "'2': write name=value"),
        (KINDS["pool"].create, {"member": ["{"]}, "no JSON object"),
    ],
)
def test_what_can_t_be_read_is_told_with_its_option_and_how_to_write_it(
    model: type[BaseModel], flags: dict[str, object], what: str
) -> None:
    with pytest.raises(BadValue) as caught:
        body_of(options_of(model), given(model, **flags))
    assert what in str(caught.value)


def test_a_problem_s_pointer_leads_to_the_option_it_came_from() -> None:
    options = options_of(KINDS["pool"].create)
    for pointer, flag in (
        ("/members/0/address", "--member"),
        ("/monitor/interval_s", "--monitor-interval-s"),
        ("/name", "--name"),
    ):
        found = nearest(options, pointer)
        assert found is not None
        assert found.flag == flag
    assert nearest(options, "/nix") is None
    assert nearest(options_of(TokenCreate), "") is None
