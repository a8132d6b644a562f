"""What the agents' client believes, and what it refuses."""

from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from lbaas.client.agent import AgentClient, Fetched
from lbaas.errors import BadState, ServerUnavailable
from lbaas.wire.canonical import digest
from lbaas.wire.report import Report

BODY = b'{"kind":"host"}'
AGENT = UUID(int=7)
HEADERS = {"LBaaS-Agent": str(AGENT), "LBaaS-Revision": "42", "LBaaS-Digest": digest(BODY)}
REPORT = Report(boot=UUID(int=1), sequence=1, revision=42, digest="d", changes=0, repaired=0)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> AgentClient:
    return AgentClient("http://server", "secret", httpx.MockTransport(answer))


def test_a_state_is_fetched_with_its_proof() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=BODY, headers=HEADERS)

    assert client(answer).fetch(since=41) == Fetched(AGENT, 42, digest(BODY), BODY)
    (request,) = asked
    assert request.headers["Authorization"] == "Bearer secret"
    assert dict(request.url.params) == {"since": "41", "timeout_s": "25"}


def test_the_first_fetch_asks_for_whatever_there_is() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "since" not in request.url.params
        return httpx.Response(304)

    assert client(answer).fetch(since=None) is None


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS | {"LBaaS-Digest": digest(b"other")},
        {name: value for name, value in HEADERS.items() if name != "LBaaS-Digest"},
        {name: value for name, value in HEADERS.items() if name != "LBaaS-Agent"},
        HEADERS | {"LBaaS-Revision": "many"},
        HEADERS | {"LBaaS-Agent": "lb1"},
    ],
)
def test_a_state_without_its_proof_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadState):
        client(lambda _: httpx.Response(200, content=BODY, headers=headers)).fetch(None)


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_an_error_is_no_state(status: int) -> None:
    with pytest.raises(ServerUnavailable, match=str(status)):
        client(lambda _: httpx.Response(status, text="why")).fetch(None)


def test_no_answer_is_no_state() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ServerUnavailable, match="refused"):
        client(refuse).fetch(None)
    with pytest.raises(ServerUnavailable, match="refused"):
        client(refuse).report(REPORT)


def test_a_report_is_sent_as_it_is() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(204)

    client(answer).report(REPORT)
    assert [Report.model_validate_json(body) for body in sent] == [REPORT]
