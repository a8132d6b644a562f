"""What a model's fields look like to a person who types them. Pure.

Read from the model's JSON schema, so that a field that the API gains becomes an option by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

from pydantic import BaseModel

from lbaas.client.kinds import KINDS, AnyKind

Schema = Mapping[str, Any]

# How fields spell kinds that have a longer name.
_SHORT = {"host": "backend_host"}


class Form(Enum):
    """How a value is written."""

    TEXT = auto()
    NUMBER = auto()
    SWITCH = auto()
    CHOICE = auto()
    REFERENCE = auto()  # an object's name, or its id
    LABELS = auto()  # KEY=VALUE
    LIST = auto()  # of what *inner* is
    OBJECT = auto()  # of *fields*
    JSON = auto()


@dataclass(frozen=True)
class Shape:
    """A value's form. *words* are what may stand there instead, or what a choice is of."""

    form: Form
    title: str = ""
    words: tuple[str, ...] = ()
    inner: "Shape | None" = None
    fields: "tuple[Field, ...]" = ()


@dataclass(frozen=True)
class Field:
    """One field of a body."""

    name: str
    shape: Shape
    help: str
    required: bool
    default: object = None

    @property
    def reference(self) -> AnyKind | None:
        """The kind of object that the field names."""
        inner = self.shape.inner if self.shape.form is Form.LIST else self.shape
        named = inner is not None and inner.form is Form.REFERENCE
        return kind_of(self.name) if named else None


def fields_of(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of *model*, in its order."""
    return _fields_of(model)


@cache
def _fields_of(model: type[BaseModel]) -> tuple[Field, ...]:
    schema = model.model_json_schema()
    return tuple(_fields(schema, schema.get("$defs", {})))


def stem(name: str) -> str:
    """What a person calls a field that holds ids: ``pool_id`` is the pool, ``tenant_ids`` the tenants."""
    for ending, plural in (("_ids", "s"), ("_id", "")):
        if name.endswith(ending):
            return name.removesuffix(ending) + plural
    return name


def kind_of(name: str) -> AnyKind | None:
    """The kind that a field called *name* refers to: ``dual_vip_id`` to a VIP."""
    words = name.removesuffix("_ids").removesuffix("_id").split("_")
    for first in range(len(words)):
        tail = "_".join(words[first:])
        found = KINDS.get(_SHORT.get(tail, tail))
        if found is not None:
            return found
    return None


def singular(name: str) -> str:
    """``prefixes`` → ``prefix``, ``communities`` → ``community``, ``ports`` → ``port``."""
    for plural, one in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("uses", "us"), ("ss", "ss")):
        if name.endswith(plural):
            return name.removesuffix(plural) + one
    return name.removesuffix("s")


def _fields(schema: Schema, models: Schema) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, described in schema.get("properties", {}).items():
        yield Field(
            name,
            _shape(described, models),
            str(described.get("description", "")),
            name in required,
            described.get("default"),
        )


def _shape(schema: Schema, models: Schema) -> Shape:
    schema = _resolved(schema, models)
    choices = [_resolved(each, models) for each in schema.get("anyOf", schema.get("oneOf", ()))]
    choices = [each for each in choices if each.get("type") != "null"]
    if len(choices) == 1:
        return _shape(choices[0], models)
    if choices:
        return _either(choices, models)
    return _plain(schema, models)


def _resolved(schema: Schema, models: Schema) -> Schema:
    if "$ref" in schema:
        resolved: Schema = models[schema["$ref"].rpartition("/")[2]]
        return resolved
    return schema


def _either(choices: list[Schema], models: Schema) -> Shape:
    """A list or objects with words beside them; several kinds of text are text; what else differs is JSON."""
    words = tuple(word for each in choices for word in _words(each))
    others = [each for each in choices if not _words(each)]
    if not others:
        return Shape(Form.CHOICE, words=words)
    forms = [_shape(each, models) for each in others]
    if len(forms) == 1:
        only = forms[0]
        return Shape(only.form, only.title, words, only.inner, only.fields)
    return Shape(Form.TEXT if {form.form for form in forms} == {Form.TEXT} else Form.JSON)


def _words(schema: Schema) -> tuple[str, ...]:
    given = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return tuple(word for word in given if isinstance(word, str))


def _plain(schema: Schema, models: Schema) -> Shape:
    if _words(schema):
        return Shape(Form.CHOICE, words=_words(schema))
    match schema.get("type"):
        case "integer" | "number":
            return Shape(Form.NUMBER)
        case "boolean":
            return Shape(Form.SWITCH)
        case "string":
            return Shape(Form.REFERENCE if schema.get("format") == "uuid" else Form.TEXT)
        case "array":
            return Shape(Form.LIST, inner=_shape(schema.get("items", {}), models))
        case "object" if "properties" in schema:
            fields = tuple(_fields(schema, models))
            return Shape(Form.OBJECT, str(schema.get("title", "")), fields=fields)
        case "object":
            return Shape(Form.LABELS)
    return Shape(Form.NUMBER if _numbers(schema) else Form.JSON)


def _numbers(schema: Schema) -> bool:
    """A choice of numbers, like an address family."""
    given = schema.get("enum", ())
    return bool(given) and all(isinstance(number, int) for number in given)


def translated(
    fields: Sequence[Field], body: Mapping[str, Any], translate: Callable[[AnyKind, str], str]
) -> dict[str, Any]:
    """*body* with every name of another object, however deep, replaced by what *translate* makes of it."""
    known = {field.name: field for field in fields}
    return {
        name: _translated(known[name], value, translate) if name in known else value
        for name, value in body.items()
    }


def _translated(field: Field, value: Any, translate: Callable[[AnyKind, str], str]) -> Any:
    kind, shape = field.reference, field.shape
    if kind is not None and isinstance(value, list | tuple):
        return [translate(kind, str(one)) for one in value]
    if kind is not None and value is not None:
        return translate(kind, str(value))
    if shape.form is Form.OBJECT and isinstance(value, Mapping):
        return translated(shape.fields, value, translate)
    if shape.inner is not None and shape.inner.fields and isinstance(value, list | tuple):
        inner = shape.inner.fields
        return [
            translated(inner, one, translate) if isinstance(one, Mapping) else one for one in value
        ]
    return value
