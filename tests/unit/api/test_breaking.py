import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbaas.api.app import create_app
from lbaas.api.breaking import breaks

RELEASED = Path(__file__).parents[3] / "openapi" / "released.json"
NOW: dict[str, Any] = json.loads(json.dumps(create_app().openapi()))
SCHEMAS = "components", "schemas"


def test_clients_of_the_last_release_can_go_on() -> None:
    assert breaks(json.loads(RELEASED.read_text()), NOW) == []


def at(*path: str | int) -> Callable[[Any], Any]:
    def found(document: Any) -> Any:
        for step in path:
            document = document[step]
        return document

    return found


def schema(name: str) -> Callable[[Any], Any]:
    return at(*SCHEMAS, name)


def removed(where: Callable[[Any], Any], key: str) -> Callable[[Any], None]:
    return lambda document: where(document).pop(key)


def added(where: Callable[[Any], Any], value: Any) -> Callable[[Any], None]:
    return lambda document: where(document).append(value)


def put(where: Callable[[Any], Any], key: str, value: Any) -> Callable[[Any], None]:
    return lambda document: where(document).update({key: value})


POST_VIPS = at("paths", "/v1/vips", "post")
LIST_VIPS = at("paths", "/v1/vips", "get")
PLANTED = {
    "a path is gone": removed(at("paths"), "/v1/vips"),
    "an operation is gone": removed(at("paths", "/v1/vips"), "post"),
    "an operation has another id": put(POST_VIPS, "operationId", "add_vip"),
    "an answer is gone": removed(at("paths", "/v1/vips", "post", "responses"), "201"),
    "a parameter is gone": lambda document: LIST_VIPS(document).update(parameters=[]),
    "a new parameter is needed": added(
        at("paths", "/v1/vips", "get", "parameters"),
        {"in": "query", "name": "region", "required": True, "schema": {"type": "string"}},
    ),
    "a field is answered no more": removed(at(*SCHEMAS, "Vip", "properties"), "address"),
    "a field is not always answered": lambda document: schema("Vip")(document)["required"].remove(
        "address"
    ),
    "a field is taken no more": removed(at(*SCHEMAS, "VipCreate", "properties"), "address"),
    "a field deep in a body is taken no more": removed(
        at(*SCHEMAS, "MemberCreate", "properties"), "weight"
    ),
    "a field is needed now": added(at(*SCHEMAS, "PoolCreate", "required"), "scheduler"),
    "a word is taken no more": lambda document: schema("Scheduler")(document)["enum"].remove("wlc"),
    "a field has another type": put(at(*SCHEMAS, "Vip", "properties", "name"), "type", "integer"),
    "a field may be null now": put(
        at(*SCHEMAS, "Vip", "properties"), "name", {"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
}
HARMLESS = {
    "a new path": put(at("paths"), "/v1/new", {"get": {"operationId": "new", "responses": {}}}),
    "a new field is answered": put(at(*SCHEMAS, "Vip", "properties"), "new", {"type": "string"}),
    "a new field is taken": put(at(*SCHEMAS, "VipCreate", "properties"), "new", {"type": "string"}),
    "a new word": added(at(*SCHEMAS, "Scheduler", "enum"), "new"),
    "another summary": put(POST_VIPS, "summary", "Another"),
}


@pytest.mark.parametrize("change", PLANTED.values(), ids=PLANTED)
def test_what_would_break_a_client_is_found(change: Callable[[Any], None]) -> None:
    new = copy.deepcopy(NOW)
    change(new)

    assert breaks(NOW, new)


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_is_only_more_is_no_break(change: Callable[[Any], None]) -> None:
    new = copy.deepcopy(NOW)
    change(new)

    assert breaks(NOW, new) == []
