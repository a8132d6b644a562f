import json
from pathlib import Path

import pytest

from lbaas.api.app import create_app
from lbaas.api.openapi import render

COMMITTED = Path(__file__).parents[3] / "openapi" / "openapi.json"
OPERATIONS = [
    pytest.param(operation, id=operation["operationId"])
    for path in create_app().openapi()["paths"].values()
    for operation in path.values()
]


def test_the_committed_description_is_the_applications() -> None:
    assert COMMITTED.read_text() == render(), "run: python -m lbaas.api.openapi"


def test_operation_ids_are_unique() -> None:
    ids = [param.id for param in OPERATIONS]

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_error_answer_is_declared_as_a_problem(operation: dict[str, object]) -> None:
    responses = operation["responses"]
    assert isinstance(responses, dict)
    errors = {status: answer for status, answer in responses.items() if int(status) >= 400}

    assert errors or operation["operationId"] == "get_health"
    assert {tuple(answer["content"]) for answer in errors.values()} <= {
        ("application/problem+json",)
    }


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_a_summary_of_its_own(operation: dict[str, str]) -> None:
    assert operation["summary"] != operation["operationId"].replace("_", " ").title()


def test_no_schema_is_named_by_where_its_model_lives() -> None:
    names = json.loads(COMMITTED.read_text())["components"]["schemas"]
    assert [name for name in names if "__" in name] == []
