"""The live server keeps what the OpenAPI document says, for generated requests of every operation."""

from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    object_level_authorization,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from lbaas.api.app import create_app

from .conftest import LiveServer

schema = schemathesis.openapi.from_dict(create_app().openapi())
# All that there are, but for the time that an answer takes.
CHECKS = [
    allow_header_conformance,
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    not_a_server_error,
    object_level_authorization,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
]


@schema.parametrize()
@settings(
    max_examples=2,  # beside the examples and the edges of each parameter, which are some thirty
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_every_operation_answers_as_described(
    case: schemathesis.Case[Any], server: LiveServer
) -> None:
    if any(each.name == "timeout_s" for each in case.operation.query) and case.query:
        case.query["timeout_s"] = 0
    if "Idempotency-Key" in case.headers:  # one that was used for another request is refused
        case.headers["Idempotency-Key"] = uuid4().hex
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    response = case.call(base_url=server.url, headers=headers)

    case.validate_response(
        response,
        checks=CHECKS,
        excluded_checks=[positive_data_acceptance] if _says_what_is_wrong(response) else [],
        headers=headers,
    )


def _says_what_is_wrong(response: Response) -> bool:
    """A schema can't say all: not that a check must end before the next begins, nor what a cursor is.

    What fits it may be refused, but then the answer names the field and the reason.
    """
    if response.status_code != 422:
        return False
    problems = response.json().get("problems", [])
    return bool(problems) and all(
        bad["detail"] and (bad.get("pointer") or bad.get("parameter")) for bad in problems
    )
