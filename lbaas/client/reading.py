"""Answers of servers that are not as old as this client. Pure.

A younger server says more than our models know, which is left out. An older one says less: a field that it
lacks is as it was before there was such a field. That is the default of the field's input, which the API's rules of
compatibility keep neutral; where there is no input, null, empty, false or zero.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined, to_jsonable_python

from lbaas.client.kinds import KINDS, MEMBERS

T = TypeVar("T", bound=BaseModel)
Model = type[BaseModel]
Place = tuple[int | str, ...]

INPUTS: Mapping[Model, Model] = {kind.shown: kind.create for kind in (*KINDS.values(), MEMBERS)}
NEUTRAL: tuple[Any, ...] = (None, [], {}, False, 0)


def read(model: type[T], content: bytes) -> T:
    """*content* as *model*. Raises ValidationError if more is wrong with it than that fields are missing."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        missing = list(_missing(error))
        if not missing:
            raise
    document = json.loads(content)
    for place in missing:
        _fill(document, model, place)
    return model.model_validate_json(json.dumps(document))


def _missing(error: ValidationError) -> Iterator[Place]:
    """Where fields are missing; nothing if anything else is wrong as well."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if all(each["type"] == "missing" for each in found):
        yield from (each["loc"] for each in found)


def _fill(document: Any, model: Model, place: Place) -> None:
    *way, last = place
    for step in way:
        document = document[step]
        model = model if isinstance(step, int) else _model_in(model.model_fields[step].annotation)
    document |= _before_there_was(model, str(last))


def _model_in(annotation: Any) -> Model:
    """The model that a field's value is, or is a list of, or may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(inner) for inner in get_args(annotation) if inner is not type(None))
    return next(models, BaseModel)


def _before_there_was(model: Model, name: str) -> dict[str, Any]:
    """The field with its neutral value; nothing if it has none."""
    known = INPUTS.get(model, BaseModel).model_fields.get(name)
    if known is not None and known.get_default(call_default_factory=True) is not PydanticUndefined:
        return {name: to_jsonable_python(known.get_default(call_default_factory=True))}
    accepted = list(_accepted(model, name))
    return {name: accepted[0]} if accepted else {}


def _accepted(model: Model, name: str) -> Iterator[Any]:
    """The neutral values that the field takes."""
    field = model.model_fields[name]
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    takes: TypeAdapter[Any] = TypeAdapter(annotation)
    for value in NEUTRAL:
        try:
            takes.validate_python(value, strict=True)
        except ValidationError:
            continue
        yield value
