"""Answers that have every field of their model, whatever it gains."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

NOW = "2026-11-23T00:00:00Z"
# The plainest value first that a field takes.
PLAIN: tuple[Any, ...] = (None, [], {}, False, 0, NOW, str(UUID(int=1)), "192.0.2.1")


def sample(model: type[BaseModel], **known: object) -> dict[str, Any]:
    """An answer of *model*, in which *known* is as said."""
    return {name: known.get(name, _plain(model, name)) for name in model.model_fields}


def _plain(model: type[BaseModel], name: str) -> object:
    field = model.model_fields[name]
    if field.default is not PydanticUndefined:
        return field.default
    annotation: Any = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return next(iter(annotation)).value
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    takes: TypeAdapter[Any] = TypeAdapter(annotation)
    for value in PLAIN:
        try:
            takes.validate_python(value)
        except ValidationError:
            continue
        return value
    return "x"
