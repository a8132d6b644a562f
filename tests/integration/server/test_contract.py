"""The live server keeps what the OpenAPI document says, for generated requests of every operation."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from lbaas.api.app import create_app

from .conftest import LiveServer

schema = schemathesis.openapi.from_dict(create_app().openapi())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_every_operation_answers_as_described(
    case: schemathesis.Case[Any], server: LiveServer
) -> None:
    if case.operation.path.startswith("/v1/agent/") and case.query:
        case.query["timeout_s"] = 0
    case.call_and_validate(
        base_url=server.url,
        headers={"Authorization": f"Bearer {server.admin_token}"},
        checks=CHECKS,
    )
