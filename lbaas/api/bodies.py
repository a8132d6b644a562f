"""A body that is read only once it is known who sends it: it may be large.

FastAPI reads and parses a body before it looks at the token. For most of ours that is well, because they end at a
mebibyte; an agent's usage is sixteen times that.
"""

import json
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from lbaas.api.dependencies import AgentCaller
from lbaas.api.problems import is_json
from lbaas.wire.usage import UsageReports


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What the description says of an operation whose body is *model*."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": True}}


async def _usage(request: Request, _caller: AgentCaller) -> UsageReports:
    if not is_json(request):
        raise RequestValidationError([{"type": "media_type", "loc": ("body",), "msg": "no JSON"}])
    body = await request.body()
    try:
        return UsageReports.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**bad, "loc": ("body", *bad["loc"])} for bad in found], body=_parsed(body)
        ) from error


def _parsed(body: bytes) -> Any:
    """As far as it is JSON; to say where in it something is wrong."""
    with suppress(ValueError):
        return json.loads(body)


UsageBody = Annotated[UsageReports, Depends(_usage)]
