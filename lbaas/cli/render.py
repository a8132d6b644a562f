"""Objects on a terminal or for programs: table, wide, JSON, YAML. Columns are never cut: pipes read them too."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from lbaas.client.kinds import AnyKind
from lbaas.errors import ToolMissing

Row = Mapping[str, Any]

COUNTED = ("packets", "bytes", "connections")
SIDES = ("ingress", "received", "egress")

# What a person looks for first; ``wide`` adds every other field.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "vip": ("name", "address", "listeners", "labels"),
    "listener": ("name", "vip_id", "protocol", "ports", "pool_id", "labels"),
    "pool": ("name", "scheduler", "forwarding", "labels"),
    "member": ("address", "weight", "admin_state", "labels"),
    "tenant": ("name", "admin_state", "backend_prefixes", "quotas"),
    "token": ("name", "role", "prefix", "expires_at", "last_used_at"),
    "cluster": ("name", "as_number", "marks"),
    "node": ("name", "addresses", "admin_state", "applied_revision", "reported_at"),
    "peer": ("name", "address", "as_number", "bfd", "multihop"),
    "address_pool": ("name", "prefix", "reserved", "quarantine_s"),
    "backend_host": ("name", "addresses", "applied_revision", "reported_at"),
    "usage": ("begun_at", "tenant", "vip", "listener", "direction", "prefix", *COUNTED),
    "reconciled": ("vip", "address", *SIDES, "lost_percent", "egress_per_ingress"),
    "event": ("created_at", "actor_name", "action", "kind", "object_name"),
}


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def rows_text(
    kind: AnyKind | str,
    objects: Sequence[BaseModel],
    output: Output,
    names: Mapping[str, str] | None = None,
) -> str:
    """Several objects. *names* are those of ids, for people."""
    rows = [one.model_dump(mode="json") for one in objects]
    if output in (Output.JSON, Output.YAML):
        return structured(rows, output)
    rows = [{column: _known(value, names or {}) for column, value in row.items()} for row in rows]
    name = kind if isinstance(kind, str) else kind.name
    columns = [column for column in COLUMNS[name] if not rows or column in rows[0]]
    if output is Output.WIDE and rows:
        columns += [column for column in rows[0] if column not in columns]
    titles = [column.upper().removesuffix("_ID") for column in columns]
    return aligned([titles, *([cell(row[column]) for column in columns] for row in rows)])


def _known(value: Any, names: Mapping[str, str]) -> Any:
    return names.get(value, value) if isinstance(value, str) else value


def object_text(one: BaseModel, output: Output) -> str:
    """One object, a field a line."""
    shown = one.model_dump(mode="json")
    if output in (Output.JSON, Output.YAML):
        return structured(shown, output)
    return aligned([[name, cell(value)] for name, value in shown.items()])


def structured(value: Any, output: Output) -> str:
    """*value* as JSON or YAML."""
    if output is Output.JSON:
        return json.dumps(value, indent=2)
    return str(yaml().safe_dump(value, sort_keys=False)).rstrip("\n")


def yaml() -> Any:
    """The YAML library. Raises ToolMissing: agents do without it, so it is no part of every installation."""
    try:
        return import_module("yaml")
    except ImportError as error:
        raise ToolMissing("YAML needs PyYAML: pip install 'lbaas[cli]', or use JSON") from error


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, two spaces between them."""
    if not rows:
        return ""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def cell(value: Any) -> str:
    """*value* in the width of a cell."""
    if value in (None, [], {}, ""):
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case {"first": first, "last": last} if len(value) == 2:
            return str(first) if first == last else f"{first}-{last}"
        case {"protocol": protocol, "ports": ports, "name": name}:
            return f"{name}={protocol}/{cell(ports)}"
        case dict():
            pairs = [f"{name}={cell(inner)}" for name, inner in value.items() if inner is not None]
            return ",".join(pairs) or "-"
        case list():
            return ",".join(cell(inner) for inner in value)
    return str(value)
