"""The modules' arguments and what their documentation says of the API's fields."""

import ast
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from lbaas.ansible.options import argument_spec
from lbaas.ansible.wanted import TASKS_OWN
from lbaas.cli.render import yaml
from lbaas.cli.shapes import Form, fields_of, stem
from lbaas.wire.tenants import InlineListener, MemberCreate, PoolCreate, VipCreate

MODULES = Path(__file__).parents[3] / "ansible/plugins/modules"
FRAGMENT = MODULES.parent / "doc_fragments/connection.py"

# Not a tenant's to say, said otherwise, or for so few that the command line will do.
LEFT_OUT = {
    "vip": {"tenant", "communities"},
    "pool": {"tenant", "persistence_prefix_v4", "persistence_prefix_v6", "one_packet"},
    "member": {"admin_state"},
}


def text_in(path: Path, name: str) -> str:
    """The literal that the module assigns to *name*, without importing Ansible."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return str(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no {name}")


def documentation(kind: str) -> str:
    return text_in(MODULES / f"{kind}.py", "DOCUMENTATION")


@pytest.mark.parametrize(
    ("kind", "model"), [("vip", VipCreate), ("pool", PoolCreate), ("member", MemberCreate)]
)
def test_a_module_has_the_fields_of_the_api_by_the_command_lines_names(
    kind: str, model: type[BaseModel]
) -> None:
    options = set(argument_spec(documentation(kind))) - TASKS_OWN - {"pool"}
    assert options == {stem(name) for name in model.model_fields} - LEFT_OUT[kind]


def test_a_listener_and_a_member_inside_have_theirs() -> None:
    vip, pool = (argument_spec(documentation(kind)) for kind in ("vip", "pool"))
    assert set(vip["listeners"]["options"]) == {stem(name) for name in InlineListener.model_fields}
    assert set(pool["members"]["options"]) == {"address", "weight", "node", "labels"}


def test_choices_are_those_of_the_api() -> None:
    spec = argument_spec(documentation("pool"))
    words = {f.name: f.shape.words for f in fields_of(PoolCreate) if f.shape.form is Form.CHOICE}
    assert {name: tuple(spec[name]["choices"]) for name in words} == words


def test_what_every_module_has_is_what_the_fragment_says() -> None:
    described: dict[str, Any] = yaml().safe_load(text_in(FRAGMENT, "DOCUMENTATION"))["options"]
    spec = argument_spec(documentation("member"))
    assert {name: spec[name]["type"] for name in described} == dict.fromkeys(described, "str")
    assert spec["token"]["no_log"] is True
