"""Typed text as the API's values. Pure.

Objects in lists have a short way of writing: a range of ports is ``8000-8099``, any other is its first field and
then ``name=value``, as in ``10.0.20.12,weight=2``. JSON is always taken.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lbaas.cli.shapes import Field, Form, Shape
from lbaas.errors import LbaasError

Json = dict[str, Any]

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
# NAME=PROTOCOL/PORTS, and @POOL for a pool that exists
_LISTENER = re.compile(r"(?P<name>[^=]+)=(?P<protocol>[^/]+)/(?P<ports>[^@]+)(?:@(?P<pool>.+))?")


class BadValue(LbaasError):
    """What was typed can't be read as what the field holds."""


def value_of(shape: Shape, text: str) -> Any:
    """*text* as a value of *shape*. Raises BadValue. What only the server can judge is left to it."""
    if text in shape.words:
        return text
    match shape.form:
        case Form.NUMBER:
            return _number(text)
        case Form.SWITCH:
            return _switch(text)
        case Form.JSON:
            return _loose(text)
        case Form.OBJECT:
            return _object(shape, text)
        case Form.CHOICE:
            raise BadValue(f"{text!r} is none of {', '.join(shape.words)}")
        case _:
            return text


def list_of(shape: Shape, texts: Sequence[str]) -> Any:
    """Several texts, each of them several values with commas, as a list; or the word that stands for it."""
    if len(texts) == 1 and texts[0] in shape.words:
        return texts[0]
    inner = shape.inner or Shape(Form.JSON)
    if inner.form is Form.OBJECT and inner.title != "PortsInput":
        return [value_of(inner, text) for text in texts]
    parts = [part for text in texts for part in text.split(",") if part]
    return [value_of(inner, part) for part in parts]


def labels_of(texts: Sequence[str], present: Mapping[str, str] | None = None) -> dict[str, str]:
    """*present* with each ``key=value`` set and each ``key-`` removed."""
    labels = dict(present or {})
    for text in texts:
        key, equals, value = text.partition("=")
        if equals:
            labels[key] = value
        elif key.endswith("-"):
            labels.pop(key[:-1], None)
        else:
            raise BadValue(f"{text!r}: write key=value, or key- to remove it")
    return labels


def _number(text: str) -> int | float:
    try:
        return int(text, 0)  # marks are written in hexadecimal
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise BadValue(f"{text!r} is no number") from None


def _switch(text: str) -> bool:
    if text.lower() in ("true", "yes", "on"):
        return True
    if text.lower() in ("false", "no", "off"):
        return False
    raise BadValue(f"{text!r}: write true or false")


def _loose(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(shape: Shape, text: str) -> Json:
    if text.startswith("{"):
        return _json_object(text)
    if shape.title == "PortsInput":
        return _ports(text)
    if shape.title == "InlineListener":
        return _listener(shape, text)
    first, *others = text.split(",")
    return _assigned(shape, [f"{shape.fields[0].name}={first}", *others])


def _json_object(text: str) -> Json:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise BadValue(f"{text!r} is no JSON object: {error}") from error


def _ports(text: str) -> Json:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadValue(f"{text!r}: write a port, or a range like 8000-8099")
    first, last = found.groups()
    return {"first": int(first), "last": int(last or first)}


def _listener(shape: Shape, text: str) -> Json:
    found = _LISTENER.fullmatch(text)
    if found is None:
        raise BadValue(
            f"{text!r}: write NAME=PROTOCOL/PORTS, as in web=tcp/80,8000-8099, and @POOL behind it"
        )
    listener: Json = {"name": found["name"], "protocol": found["protocol"]}
    if found["ports"] == "all":
        listener["all_ports"] = True
    else:
        listener["ports"] = list_of(_field(shape, "ports").shape, [found["ports"]])
    return listener | ({"pool_id": found["pool"]} if found["pool"] else {})


def _assigned(shape: Shape, parts: Sequence[str]) -> Json:
    made: Json = {}
    for part in parts:
        name, equals, text = part.partition("=")
        if not equals:
            raise BadValue(f"{part!r}: write name=value")
        made[name] = value_of(_field(shape, name).shape, text)
    return made


def _field(shape: Shape, name: str) -> Field:
    for field in shape.fields:
        if field.name == name:
            return field
    possible = ", ".join(field.name for field in shape.fields)
    raise BadValue(f"there is no field {name!r}; possible: {possible}")
