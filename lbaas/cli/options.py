"""A body's fields as options of a command, and the options that were given as a body. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lbaas.cli.shapes import Field, Form, fields_of, singular, stem
from lbaas.cli.values import BadValue, Json, labels_of, list_of, value_of

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """One option. *path* is where its value goes in the body; *key* is how a function is told of it."""

    path: tuple[str, ...]
    field: Field

    @property
    def key(self) -> str:
        return "_".join(("field", *self.path))

    @property
    def flag(self) -> str:
        """Like ``--pool``, ``--monitor-interval-s``, ``--port``."""
        *outer, name = self.path
        name = stem(name)
        if self.repeated:
            name = singular(name)
        return "--" + "-".join([*outer, name]).replace("_", "-")

    @property
    def repeated(self) -> bool:
        return self.field.shape.form in (Form.LIST, Form.LABELS)

    @property
    def pointer(self) -> str:
        """Where a problem that concerns the option points to (RFC 6901)."""
        return "".join(f"/{part}" for part in self.path)


def options_of(model: type[BaseModel], *without: str) -> tuple[Option, ...]:
    """An option for each field of *model*; a field that is an object gives one for each of its own."""
    return tuple(_options(fields_of(model), (), without))


def _options(
    fields: Sequence[Field], path: tuple[str, ...], without: Sequence[str]
) -> Iterator[Option]:
    for field in fields:
        place = (*path, field.name)
        if field.name in without and not path:
            continue
        if field.shape.form is Form.OBJECT and field.shape.fields:
            yield from _options(field.shape.fields, place, without)
        else:
            yield Option(place, field)


def body_of(options: Sequence[Option], given: Given, present: Json | None = None) -> Json:
    """The body that the options say.

    A change of a part of an object, or of labels, is laid over what is *present*: the API takes them whole.
    Raises BadValue, naming the option.
    """
    body: Json = {}
    for option in options:
        text = given.get(option.key)
        if text is None or text == []:
            continue
        _put(body, option.path, _value(option, text, _at(present, option.path)), present or {})
    return body


def _value(option: Option, text: Any, present: Any) -> Any:
    if isinstance(text, bool):
        return text
    shape = option.field.shape
    try:
        if shape.form is Form.LABELS:
            return labels_of(text, present)
        return list_of(shape, text) if shape.form is Form.LIST else value_of(shape, text)
    except BadValue as error:
        raise BadValue(f"{option.flag}: {error}") from error


def _put(body: Json, path: tuple[str, ...], value: Any, present: Json) -> None:
    name, *inner = path
    if not inner:
        body[name] = value
        return
    here = present.get(name) or {}
    nested = body.setdefault(name, dict(here))
    _put(nested, tuple(inner), value, here)


def _at(present: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        present = present.get(name) if isinstance(present, dict) else None
    return present


def nearest(options: Sequence[Option], pointer: str) -> Option | None:
    """The option that the value at *pointer* came from."""
    return max(
        (each for each in options if f"{pointer}/".startswith(f"{each.pointer}/")),
        key=lambda each: len(each.pointer),
        default=None,
    )
