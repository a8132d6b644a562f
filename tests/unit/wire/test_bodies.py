from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from lbaas.wire import operators, tenants

CLUSTER = "01a205f9-4f8a-72c6-ad57-d2c05e8ef565"


def errors(model: type[BaseModel], body: dict[str, Any]) -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return [(error["loc"], error["type"]) for error in caught.value.errors()]


def test_a_member_port_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="listens on the VIP's port"):
        tenants.MemberCreate.model_validate({"address": "10.0.0.1", "port": 80})


def test_an_unknown_field_is_refused() -> None:
    body = {"name": "a", "backend_prefix": []}

    assert errors(operators.TenantCreate, body) == [(("backend_prefix",), "extra_forbidden")]


@pytest.mark.parametrize("address", [5, True, "fe80::1%eth0", "198.51.100.0/24", "", None])
def test_what_is_no_address_is_refused(address: object) -> None:
    assert errors(tenants.MemberCreate, {"address": address})


def test_a_prefix_with_host_bits_is_refused() -> None:
    assert errors(operators.TenantCreate, {"name": "a", "backend_prefixes": ["10.0.0.1/24"]})


def test_null_is_no_value_in_a_patch() -> None:
    assert errors(tenants.MemberPatch, {"weight": None}) == [((), "null")]


@pytest.mark.parametrize("password", ['with"quote', "with blank", "", "x" * 81])
def test_a_peers_password_is_one_that_bird_can_hold(password: str) -> None:
    with pytest.raises(ValidationError, match="password"):
        operators.PeerPatch.model_validate({"password": password})


def test_null_removes_a_peers_password() -> None:
    assert operators.PeerPatch.model_validate({"password": None}).changes() == {"password": None}


def test_a_patch_changes_only_what_it_names() -> None:
    assert operators.PeerPatch.model_validate({"bfd": False}).changes() == {"bfd": False}
    assert operators.PeerPatch.model_validate({}).changes() == {}


@pytest.mark.parametrize(
    "ports",
    [
        [],
        [{"first": 0}],
        [{"first": 65536}],
        [{"first": 90, "last": 80}],
        [{"first": 80, "last": 90}, {"first": 90}],
    ],
)
def test_a_port_set_without_sense_is_refused(ports: list[dict[str, int]]) -> None:
    body = {"vip_id": CLUSTER, "name": "a", "protocol": "tcp", "ports": ports, "pool_id": CLUSTER}

    assert errors(tenants.ListenerCreate, body)


def test_an_inline_listener_has_one_pool() -> None:
    body = {"name": "a", "protocol": "tcp", "ports": [{"first": 80}]}

    assert errors(tenants.InlineListener, body) == [((), "one_pool")]
    assert errors(tenants.InlineListener, {**body, "pool": {}, "pool_id": CLUSTER})


@pytest.mark.parametrize(
    ("role", "bearer"),
    [("admin", None), ("member", "tenant_id"), ("reader", "tenant_id"), ("node", "node_id")],
)
def test_a_token_names_the_bearer_its_role_needs_and_no_other(
    role: str, bearer: str | None
) -> None:
    body = {"name": "t", "role": role}
    good = body if bearer is None else {**body, bearer: CLUSTER}

    assert operators.TokenCreate.model_validate(good).role == role
    assert errors(operators.TokenCreate, {**good, "host_id": CLUSTER})
    if bearer is not None:
        assert errors(operators.TokenCreate, body) == [((), "bearer")]


def test_the_same_member_twice_is_refused() -> None:
    body = {"name": "p", "members": [{"address": "10.0.0.1"}, {"address": "10.0.0.1"}]}

    assert errors(tenants.PoolCreate, body) == [(("members",), "duplicates")]
