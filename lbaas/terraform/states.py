"""Terraform's states and the API's bodies, one from the other. Pure.

A field that a configuration leaves out is null in the state and is not managed: the server's default, or what
somebody else says, stands. Ports are text like ``8000-8099``; an object inside is a block, of which there is one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lbaas.cli.shapes import Field, Form
from lbaas.cli.values import BadValue, value_of

Json = dict[str, Any]

PORTS = "PortsInput"
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def is_block(field: Field) -> bool:
    """True for objects and lists of objects; a set of ports is a set of text."""
    inner = field.shape.inner if field.shape.form is Form.LIST else field.shape
    return inner is not None and inner.form is Form.OBJECT and inner.title != PORTS


def inner_fields(field: Field) -> tuple[Field, ...]:
    """The fields of a block."""
    shape = field.shape.inner if field.shape.form is Form.LIST else field.shape
    return () if shape is None else shape.fields


def body_of(fields: Sequence[Field], state: Mapping[str, Any]) -> Json:
    """What a state says, as the API takes it; nulls and empty blocks say nothing."""
    said = ((field, state.get(field.name)) for field in fields)
    return {field.name: _value(field, value) for field, value in said if value not in (None, [])}


def changes_of(
    fields: Sequence[Field], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Json:
    """The fields that differ, as a PATCH takes them: a list that is gone is empty, another field that is gone null."""
    changed = [field for field in fields if before.get(field.name) != after.get(field.name)]
    body = body_of(changed, after)
    return {field.name: body.get(field.name, _nothing(field)) for field in changed}


def state_of(fields: Sequence[Field], said: Mapping[str, Any], shown: Mapping[str, Any]) -> Json:
    """The state of what is *shown*, in as far as it is *said*; a write-only field is as it was said."""
    return {
        field.name: _seen(field, said.get(field.name), shown.get(field.name))
        if field.name in shown
        else said.get(field.name)
        for field in fields
    }


def imported(fields: Sequence[Field], shown: Mapping[str, Any]) -> Json:
    """The state of an object that no configuration has described yet: what is not the default."""
    return {field.name: _unlike_default(field, shown.get(field.name)) for field in fields}


def seconds(text: str) -> float:
    """A duration as Terraform's configurations have it: ``90s``, ``1h30m``. Raises BadValue."""
    if not _DURATION.fullmatch(text):
        raise BadValue(f"{text!r} is no duration: write it like 90s, 5m or 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def _value(field: Field, value: Any) -> Any:
    if is_block(field):
        objects = [body_of(inner_fields(field), one) for one in value]
        return objects if field.shape.form is Form.LIST else objects[0]
    inner = field.shape.inner
    if inner is not None and inner.title == PORTS:
        return [value_of(inner, text) for text in value]
    return value


def _nothing(field: Field) -> Any:
    match field.shape.form:
        case Form.LIST:
            return []
        case Form.LABELS:
            return {}
    return None


def _seen(field: Field, said: Any, shown: Any) -> Any:
    if said in (None, []):
        return said
    if is_block(field):
        return _blocks(field, said, shown)
    if field.shape.inner is not None and field.shape.inner.title == PORTS:
        return [_ports(one) for one in shown or ()]
    return shown


def _blocks(field: Field, said: Any, shown: Any) -> list[Json]:
    """Each object in as far as it is said; one that nobody has said is drift, and whole."""
    fields = inner_fields(field)
    if field.shape.form is not Form.LIST:
        return [] if shown is None else [state_of(fields, said[0], shown)]
    identity = fields[0].name
    by_identity = {one[identity]: one for one in said}
    return [state_of(fields, by_identity.get(one[identity], one), one) for one in shown or ()]


def _unlike_default(field: Field, shown: Any) -> Any:
    if is_block(field):
        objects = shown if isinstance(shown, list) else [shown] if shown else []
        return [imported(inner_fields(field), one) for one in objects]
    # A word that is null until the server fills it in says nothing of what anybody wanted.
    filled_in = field.shape.form is Form.CHOICE and not field.required and field.default is None
    if filled_in or shown in (field.default, [], {}):
        return None
    return _seen(field, "said", shown)


def _ports(span: Mapping[str, int]) -> str:
    first, last = span["first"], span["last"]
    return str(first) if first == last else f"{first}-{last}"
