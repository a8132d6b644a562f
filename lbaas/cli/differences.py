"""What differs between two states of an object, a line each. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from lbaas.cli.render import cell

# Change by themselves, or are the object's own.
UNSHOWN = frozenset({"id", "created_at", "updated_at"})


def between(before: BaseModel, after: BaseModel) -> list[str]:
    """The fields of *after* that are not as in *before*."""
    return list(_lines("", before.model_dump(mode="json"), after.model_dump(mode="json")))


def lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The same for fields that are JSON already."""
    return list(_lines("", before, after))


def _lines(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, value in after.items():
        was = before.get(name)
        if was == value or name in UNSHOWN:
            continue
        if isinstance(was, dict) and isinstance(value, dict) and set(was) == set(value):
            yield from _lines(f"{prefix}{name}.", was, value)
        else:
            yield f"  {prefix}{name}: {cell(was)} → {cell(value)}"
