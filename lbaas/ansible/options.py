"""A module's arguments, read from its documentation, so that the two can't differ."""

from collections.abc import Mapping
from typing import Any

from lbaas.cli.render import yaml

Spec = dict[str, dict[str, Any]]

KEPT = ("type", "required", "choices", "default", "elements")
# The fragment that every module's documentation names.
CONNECTION: Spec = {
    "url": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "profile": {"type": "str"},
}


def argument_spec(documentation: str) -> Spec:
    """What ``AnsibleModule`` wants to know. Raises ToolMissing without PyYAML."""
    return CONNECTION | _spec(yaml().safe_load(documentation)["options"])


def _spec(options: Mapping[str, Any]) -> Spec:
    return {name: _argument(described) for name, described in options.items()}


def _argument(described: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: described[name] for name in KEPT if name in described}
    inner = described.get("suboptions")
    return made if inner is None else {**made, "options": _spec(inner)}
