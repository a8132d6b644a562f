"""The kinds' fields as Terraform's schemas."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tf.blocks import SetNestedBlock
from tf.schema import Attribute, Block, NestedBlock, Schema
from tf.types import Bool, Map, Number, Set, String, TfType

from lbaas.cli.reconcile import same
from lbaas.cli.shapes import Field, Form, Shape, fields_of
from lbaas.cli.waiting import WAITABLE
from lbaas.client.kinds import AnyKind
from lbaas.terraform.states import inner_fields, is_block

ID = Attribute("id", String(), computed=True, description="The API's id.")
SECRET = ("password", "token")
TIMEOUTS = "timeouts"
WAITS = (("create", "Until a new object is programmed."), ("update", "Until a change is."))


class Blocks(SetNestedBlock):  # type: ignore[misc]  # the framework has no types
    """A set of blocks. Two are equal if all of them is, blocks inside too, which the framework's own forgets."""

    def semantically_equal(self, a_decoded: Any, b_decoded: Any) -> bool:
        return bool(same(a_decoded, b_decoded))


def schema_of(kind: AnyKind, inside: Sequence[Attribute] = ()) -> Schema:
    """A resource of *kind*. What can't be patched replaces the object; what the server then chooses is computed."""
    fields = fields_of(kind.create)
    attributes = [_attribute(kind, field) for field in fields if not is_block(field)]
    made = (
        [Attribute("token", String(), computed=True, sensitive=True)]
        if "token" in kind.made.model_fields
        else []
    )
    blocks = [*_blocks(fields), *([_timeouts()] if kind in WAITABLE else [])]
    return Schema([ID, *inside, *attributes, *made], version=1, block_types=blocks)


def found_schema(kind: AnyKind) -> Schema:
    """A data source of *kind*, found by its name."""
    known = Attribute(kind.identity, String(), required=True)
    others = [
        Attribute(field.name, type_of(field.shape), computed=True)
        for field in fields_of(kind.create)
        if not is_block(field)
        and field.name in kind.shown.model_fields
        and field.name != kind.identity
    ]
    return Schema([ID, known, *others], version=1)


def fixed(kind: AnyKind, field: Field) -> bool:
    """True if another value means another object."""
    return kind.patch is None or field.name not in kind.patch.model_fields


def chosen_by_server(kind: AnyKind, field: Field) -> bool:
    """True if the server fills in a fixed field for good when nobody says it."""
    return fixed(kind, field) and not field.required and field.name in kind.shown.model_fields


def type_of(shape: Shape) -> TfType:
    """The type of a value."""
    match shape.form:
        case Form.NUMBER:
            return Number()
        case Form.SWITCH:
            return Bool()
        case Form.LABELS:
            return Map(String())
        case Form.LIST:
            inner = shape.inner
            return Set(Number() if inner is not None and inner.form is Form.NUMBER else String())
    return String()


def _attribute(kind: AnyKind, field: Field) -> Attribute:
    return Attribute(
        field.name,
        type_of(field.shape),
        description=field.help or None,
        required=field.required,
        optional=not field.required,
        computed=chosen_by_server(kind, field),
        sensitive=field.name in SECRET,
        requires_replace=fixed(kind, field),
    )


def _blocks(fields: Iterable[Field]) -> Iterator[NestedBlock]:
    for field in fields:
        if is_block(field):
            yield Blocks(field.name, _block(inner_fields(field)))


def _timeouts() -> Blocks:
    described = (f"{text} Like 90s, 5m, 1h; 0s for not waiting." for _, text in WAITS)
    waits = [
        Attribute(name, String(), optional=True, description=text)
        for (name, _), text in zip(WAITS, described, strict=True)
    ]
    return Blocks(TIMEOUTS, Block(attributes=waits))


def _block(fields: Sequence[Field]) -> Block:
    attributes = [
        Attribute(
            field.name,
            type_of(field.shape),
            description=field.help or None,
            required=field.required,
            optional=not field.required,
        )
        for field in fields
        if not is_block(field)
    ]
    return Block(attributes=attributes, block_types=list(_blocks(fields)))
