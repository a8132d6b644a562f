"""Every refusal of the server has its exception in the client."""

import pytest

from lbaas import errors
from lbaas.api.problems import KINDS, uri
from lbaas.client import problems


@pytest.mark.parametrize("refusal", list(KINDS), ids=uri)
def test_each_refusal_is_an_exception_of_the_same_name(refusal: type[errors.Refused]) -> None:
    body = b'{"type": "%s"}' % uri(refusal).encode()
    made = problems.problem_of(KINDS[refusal].status, "", body)
    assert type(made).__name__ == refusal.__name__
    parents = {parent.__name__ for parent in refusal.__mro__} - {"Refused"}
    assert parents <= {parent.__name__ for parent in type(made).__mro__}


def test_a_type_that_is_younger_than_the_client_is_told_by_its_status() -> None:
    assert type(problems.problem_of(409, "", b'{"type": "/errors/new"}')) is problems.Conflict
    assert type(problems.problem_of(500, "", b"")) is problems.ServerFailed
    assert type(problems.problem_of(418, "", b"")) is problems.ApiProblem
