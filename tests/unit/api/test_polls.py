"""Which polls are answered without the framework; all others get the described route's answer."""

import pytest

from lbaas.api.polls import regular


@pytest.mark.parametrize("query", [b"since=7&timeout_s=25", b"timeout_s=0.5&since=0"])
def test_an_agents_usual_question_is_regular(query: bytes) -> None:
    assert regular(query) is not None


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"since=7",
        b"since=-1&timeout_s=25",
        b"since=x&timeout_s=25",
        b"since=7&timeout_s=60.1",
        b"since=7&timeout_s=61",
        b"since=7&timeout_s=nan",
        b"since=7&since=8&timeout_s=25",
        b"since=7&timeout_s=25&whole=true",
        b"since=99999999999999999999&timeout_s=25",
        b"\xff",
    ],
)
def test_anything_else_is_left_to_the_route(query: bytes) -> None:
    assert regular(query) is None
