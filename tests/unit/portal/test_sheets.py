"""Forms of objects: what was typed as a body, and back."""

import pytest

from lbaas.client.kinds import KINDS
from lbaas.portal.fleet import ADDRESS_POOLS, PEERS, SHEETS, TENANTS, TOKENS
from lbaas.portal.sheets import Sheet
from lbaas.portal.visits import Form

BY_PATH = {kind.path: kind for kind in KINDS.values()}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.path)
def test_every_field_of_a_sheet_is_one_of_the_api_and_none_is_forgotten(sheet: Sheet) -> None:
    kind = BY_PATH[sheet.path]
    on_sheet = {entry.name.partition(".")[0] for entry in sheet.entries}
    assert on_sheet == set(kind.create.model_fields)
    if sheet.changeable:
        assert kind.patch is not None
        changeable = {e.name.partition(".")[0] for e in sheet.entries if not e.fixed}
        assert changeable == set(kind.patch.model_fields)


def test_what_is_left_empty_in_a_new_object_is_the_servers_to_choose() -> None:
    form = Form([("name", "acme"), ("backend_prefixes", ""), ("quotas.vips", "")])
    assert TENANTS.body(form, new=True) == {"name": "acme"}


def test_what_is_emptied_in_an_object_that_is_there_is_empty_then() -> None:
    form = Form([("name", "acme"), ("backend_prefixes", ""), ("quotas.vips", "7")])
    body = TENANTS.body(form, new=False)
    assert body["backend_prefixes"] == []
    assert body["quotas"] == {"vips": 7, "listeners": None, "pools": None, "members": None}


def test_a_secret_that_is_not_typed_stays_and_a_switch_that_is_not_set_is_off() -> None:
    body = PEERS.body(Form([("name", "tor"), ("password", ""), ("multihop", "on")]), new=False)
    assert "password" not in body
    assert (body["bfd"], body["multihop"]) == (False, True)
    assert "cluster_id" not in body


def test_nobody_chosen_is_everybody() -> None:
    assert ADDRESS_POOLS.body(Form([]), new=False)["tenant_ids"] is None
    chosen = Form([("tenant_ids", "a"), ("tenant_ids", "b")])
    assert ADDRESS_POOLS.body(chosen, new=False)["tenant_ids"] == ["a", "b"]


def test_a_day_is_its_end() -> None:
    body = TOKENS.body(Form([("expires_at", "2027-01-31")]), new=True)
    assert body == {"expires_at": "2027-01-31T23:59:59Z"}


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("/quotas/vips", "quotas.vips"),
        ("/quotas", "quotas.vips"),
        ("/backend_prefixes/1", "backend_prefixes"),
        ("/errors/name-taken", "name"),
        ("/nowhere", None),
    ],
)
def test_a_problem_stands_at_its_field(pointer: str, field: str | None) -> None:
    assert TENANTS.place(pointer) == field


def test_an_object_is_shown_as_it_would_be_typed() -> None:
    shown = TENANTS.shown(
        {"name": "acme", "backend_prefixes": ["a", "b"], "quotas": {"vips": 7, "pools": None}}
    )
    assert shown["backend_prefixes"] == "a, b"
    assert (shown["quotas.vips"], shown["quotas.pools"]) == ("7", "")
