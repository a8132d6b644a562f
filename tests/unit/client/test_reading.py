"""What a client makes of answers of servers that are older or younger than itself."""

import json
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from lbaas.client.kinds import KINDS, MEMBERS, AnyKind
from lbaas.client.reading import read
from lbaas.wire.fields import Page, Resource
from lbaas.wire.status import NodeStatus, VipStatus
from lbaas.wire.tenants import Listener, Pool, Vip
from tests.unit.client.samples import sample

# Optional to say, and there from the first: the server fills them in.
FILLED_IN = {"tenant_id", "address", "address_pool_id"}


def older(model: type[BaseModel], *lacking: str, **known: object) -> bytes:
    document = sample(model, **known)
    return json.dumps({name: document[name] for name in document if name not in lacking}).encode()


@pytest.mark.parametrize("kind", [*KINDS.values(), MEMBERS], ids=lambda kind: kind.name)
def test_any_optional_field_that_an_older_server_lacks_has_its_inputs_default(
    kind: AnyKind,
) -> None:
    optional = [name for name, field in kind.create.model_fields.items() if not field.is_required()]
    lacking = [name for name in optional if name in kind.shown.model_fields.keys() - FILLED_IN]
    shown = read(kind.shown, older(kind.shown, *lacking)).model_dump(mode="json")
    stand_in = kind.create.model_construct().model_dump(mode="json")
    assert {name: shown[name] for name in lacking} == {name: stand_in[name] for name in lacking}


def test_what_is_lacking_in_a_page_inside_a_vip_is_borne() -> None:
    listener = json.loads(older(Listener, "dual_vip_id", "allowed_sources", "all_ports"))
    vip = json.loads(older(Vip, "communities", listeners=[listener]))
    (read_vip,) = read(Page[Vip], json.dumps({"items": [vip], "next_cursor": None}).encode()).items
    (inner,) = read_vip.listeners
    assert (inner.dual_vip_id, inner.allowed_sources, inner.all_ports) == (None, [], False)
    assert read_vip.communities == []


def test_what_has_no_input_is_empty_or_false() -> None:
    node = json.loads(older(NodeStatus, "unhealthy", "order_differs", "stale"))
    status = read(VipStatus, older(VipStatus, "dropped", nodes=[node]))
    assert status.dropped == []
    assert (status.nodes[0].unhealthy, status.nodes[0].order_differs) == ([], False)


def test_fields_of_a_younger_server_are_left_out() -> None:
    document = sample(Pool, name="web") | {"of_tomorrow": 1}
    assert read(Pool, json.dumps(document).encode()).name == "web"


def test_an_object_without_what_makes_it_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="id"):
        read(Resource, older(Resource, "id"))
    with pytest.raises(ValidationError):
        read(Pool, older(Pool, "labels", id=str(UUID(int=1)) + "x"))
