"""How a pool's form and its fields say the same."""

from lbaas.portal.tuning import FIELDS, Tuning
from lbaas.portal.visits import Form
from lbaas.wire.tenants import PoolCreate, PoolPatch

TUNED = Tuning(scheduler="sh", encapsulation="gue", gue_port="6081", hash_ports="false", quorum="2")


def test_what_nobody_has_touched_is_the_apis_default() -> None:
    said = PoolCreate(name="web", **Tuning().body())
    assert said.model_dump() == PoolCreate(name="web").model_dump()


def test_a_pool_that_is_shown_and_saved_stays_as_it_is() -> None:
    pool = PoolCreate(name="web", **TUNED.body()).model_dump(mode="json")
    assert Tuning.shown(pool) == TUNED
    assert PoolPatch(**TUNED.body()).model_fields_set == FIELDS


def test_a_form_says_all_of_it() -> None:
    form = Form([(name, getattr(TUNED, name)) for name in FIELDS])
    assert Tuning.of(form) == TUNED
