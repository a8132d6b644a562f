"""Rows as the JSON that the API shows, written by Postgres.

Reading a row into an object, checking it against its model and writing it out again costs a server ten times what
the text costs Postgres. The expression follows from the model's fields and the mapped columns, so that a new field
shows by itself. The law, held by a test for every kind: the text says what the model would have said.
"""

from collections.abc import Sequence
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_json
from sqlalchemy import Column, DateTime, inspect
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, JSONB
from sqlalchemy.orm import ColumnProperty, RelationshipProperty

from lbaas.persistence.models import Base


class Unwritable(Exception):
    """A field of the kind is neither a column nor a relationship: the row must be read to be shown."""


@cache
def expression(kind: type[BaseModel], model: type[Base]) -> str | None:
    """SQL for the text of a *kind* from a row of *model*, which the statement calls as the table is called.

    None if the row alone does not say it: some field is computed in Python.
    """
    try:
        return f"{_document(kind, model)}::text"
    except Unwritable:
        return None


def _document(kind: type[BaseModel], model: type[Base]) -> str:
    fields = kind.model_fields.items()
    return _object({name: _field(model, name, field) for name, field in fields})


def _object(values: dict[str, str]) -> str:
    pairs = (f"'{name}', {value}" for name, value in values.items())
    return f"json_build_object({', '.join(pairs)})"


def _field(model: type[Base], name: str, field: FieldInfo) -> str:
    mapped = inspect(model).attrs.get(name)
    if isinstance(mapped, RelationshipProperty):
        return _related(mapped, get_args(field.annotation)[0])
    if not isinstance(mapped, ColumnProperty) or not isinstance(mapped.columns[0], Column):
        raise Unwritable(name)
    return _column(mapped.columns[0], field)


def _related(mapped: RelationshipProperty[Any], kind: type[BaseModel]) -> str:
    """Those rows of another table that the relationship joins, in its order."""
    model = mapped.mapper.class_
    order = ", ".join(str(column) for column in mapped.order_by or ())
    each = f"json_agg({_document(kind, model)} ORDER BY {order})"
    rows = f"FROM {model.__tablename__} WHERE {mapped.primaryjoin}"
    return f"(SELECT coalesce({each}, '[]') {rows})"


def _column(column: Column[Any], field: FieldInfo) -> str:
    value = str(column)
    if isinstance(column.type, ARRAY):
        part = _scalar(column.type.item_type, "part")
        several = f"SELECT json_agg({part}) FROM unnest({value}) AS part"
        return f"CASE WHEN {value} IS NOT NULL THEN coalesce(({several}), '[]') END"
    if isinstance(column.type, JSONB):
        return _kept(value, field.annotation)
    return _scalar(column.type, value)


def _scalar(kind: Any, value: str) -> str:
    """*value* as pydantic spells it."""
    if isinstance(kind, DateTime):
        text = f"""to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"replace({text}, '.000000Z', 'Z')"
    if isinstance(kind, INET):
        return f"host({value})"
    if isinstance(kind, CIDR):
        return f"text({value})"
    return value


def _kept(value: str, annotation: Any, depth: int = 0) -> str:
    """JSON of a column: with the fields of its model, in their order and with their defaults, if it has one."""
    present = [part for part in get_args(annotation) if part is not NoneType]
    if NoneType in get_args(annotation) and len(present) == 1:
        inner = _kept(value, present[0], depth)
        return inner if inner == value else f"CASE WHEN {_there(value)} THEN {inner} END"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return _object({name: _part(value, name, field, depth) for name, field in fields})
    if get_origin(annotation) in (list, tuple, Sequence) and _modelled(present[0]):
        each = f"e{depth}"
        inner = _kept(f"{each}.value", present[0], depth + 1)
        rows = f"jsonb_array_elements({value}) WITH ORDINALITY AS {each} (value, place)"
        return f"(SELECT coalesce(json_agg({inner} ORDER BY {each}.place), '[]') FROM {rows})"
    return value


def _part(value: str, name: str, field: FieldInfo, depth: int) -> str:
    part = f"({value} -> '{name}')"
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    if default is not None:
        text = to_json(default).decode().replace("'", "''")
        part = f"coalesce({part}, '{text}')"
    return _kept(part, field.annotation, depth)


def _modelled(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _there(value: str) -> str:
    return f"jsonb_typeof({value}) <> 'null'"
