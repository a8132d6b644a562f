import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.portal import tuning
from lbaas.portal.checks import FIELDS, Check
from lbaas.portal.draft import KEYS, PARTS, STEPS, Draft, Row, step_of
from lbaas.portal.tuning import Tuning
from lbaas.portal.visits import Form
from lbaas.wire.tenants import VipCreate

TYPED = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=12)
TEXTS = [name for name in Draft.__dataclass_fields__ if name not in PARTS]
CHECKS = st.builds(Check, **dict.fromkeys(FIELDS, TYPED))
ROWS = st.lists(st.builds(Row, TYPED, TYPED), min_size=1, max_size=5).map(tuple)
TUNINGS = st.builds(Tuning, **dict.fromkeys(tuning.FIELDS, TYPED))
DRAFTS = st.builds(Draft, **dict.fromkeys(TEXTS, TYPED), check=CHECKS, tuning=TUNINGS, rows=ROWS)

SHOP = Draft(
    name="shop",
    labels="env=prod, canary",
    ports="80, 8000-8099",
    rows=(Row("10.0.20.11", "2"), Row(), Row("10.0.20.12")),
)


@given(draft=DRAFTS)
def test_a_form_that_is_sent_again_says_the_same(draft: Draft) -> None:
    assert Draft.of(Form(list(draft.pairs()))) == draft


@given(draft=DRAFTS)
def test_each_step_carries_what_the_others_asked_for(draft: Draft) -> None:
    for step in STEPS:
        carried = {name for name, _ in draft.pairs(step.fields)}
        assert not carried & step.fields
        assert carried | step.fields >= set(TEXTS)


def test_the_order_is_a_body_that_the_api_takes() -> None:
    body = VipCreate.model_validate(SHOP.body())
    (listener,) = body.listeners
    assert body.labels == {"env": "prod", "canary": ""}
    assert [(span.first, span.last) for span in listener.ports] == [(80, None), (8000, 8099)]
    assert listener.pool is not None
    assert [(str(each.address), each.weight) for each in listener.pool.members] == [
        ("10.0.20.11", 2),
        ("10.0.20.12", 1),
    ]


@pytest.mark.parametrize("upto", KEYS)
def test_each_step_before_the_last_is_a_whole_order_already(upto: str) -> None:
    assert VipCreate.model_validate(SHOP.body(upto)).name == "shop"


def test_of_both_families_the_second_vip_has_the_family_that_the_first_has_not() -> None:
    both = Draft(name="shop", family="46", labels="env=prod", tenant_id="t")
    assert (both.dual, both.body("ports")["family"]) == (True, 4)
    named = {"name": "shop-v6", "labels": {"env": "prod"}, "tenant_id": "t", "family": 6}
    assert both.second() == named
    assert Draft(name="shop", family="46", address="2001:db8::7").second()["family"] == 4
    assert both.key() != both.key(both.second())


def test_no_address_is_asked_for_before_its_step() -> None:
    wanted = Draft(name="shop", address="192.0.2.1")
    assert "address" not in wanted.body("address")
    assert wanted.body("ports")["address"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("/name", "name"),
        ("/labels/env", "labels"),
        ("/tenant_id", "tenant_id"),
        ("/address", "address"),
        ("/listeners/0/ports", "ports"),
        ("/listeners/0/ports/1/first", "ports"),
        ("/listeners/0/protocol", "protocol"),
        ("/listeners/0/pool/members", "members"),
        ("/listeners/0/pool/members/0/weight", "member.0.weight"),
        ("/listeners/0/pool/members/1/address", "member.2.address"),  # the second row is empty
        ("/listeners/0/pool/members/1", "member.2.address"),
        ("/listeners/0/pool/scheduler", "scheduler"),
        ("/listeners/0/pool/persistence_s", "persistence_s"),
        ("/listeners/0/pool/monitor/interval_s", "interval_s"),
        ("/listeners/0/pool/monitor/http/path", "path"),
        ("/listeners/0/pool/monitor", "check"),
        ("/errors/name-taken", "name"),
        ("/errors/pool-exhausted", "address"),
        ("/errors/quota-exceeded", None),
        ("/listeners/1/ports", None),
    ],
)
def test_what_the_api_finds_wrong_stands_beside_its_field(pointer: str, field: str | None) -> None:
    assert SHOP.place(pointer) == field
    if field is not None:
        assert step_of(field) in KEYS


def test_only_the_same_order_out_of_the_same_draft_is_the_same() -> None:
    keys = {Draft(id=each, name=name).key() for each in "ab" for name in "xy"}
    assert len(keys) == 4
    assert Draft(id="a", name="x").key() == Draft(id="a", name="x").key()
