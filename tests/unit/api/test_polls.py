"""Which polls are answered without the framework; all others get the described route's answer."""

import asyncio
from typing import NoReturn, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from lbaas.api.polls import PATH, Polls, regular
from lbaas.services.runtime import Runtime


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


class Broken:
    """A runtime in which something goes wrong that nobody thought of."""

    async def identified(self, *_presented: object) -> NoReturn:
        raise ZeroDivisionError


def test_the_route_answers_where_a_poll_goes_wrong_in_whatever_way() -> None:
    asked: list[str] = []

    async def route(scope: Scope, _receive: Receive, _send: Send) -> None:
        asked.append(scope["path"])

    async def unused(_message: Message | None = None) -> NoReturn:
        raise AssertionError

    scope = {"type": "http", "path": PATH, "method": "GET", "headers": []}
    query = {"query_string": b"since=7&timeout_s=25"}
    polls = Polls(route, cast("Runtime", Broken()))
    asyncio.run(polls(scope | query, unused, unused))

    assert asked == [PATH]
