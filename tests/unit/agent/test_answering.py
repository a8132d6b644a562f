"""What an agent makes of the server's questions."""

from contextlib import closing
from ipaddress import ip_address
from uuid import UUID

import httpx
import pytest

from lbaas.agent.answering import answer_all
from lbaas.client.agent import AgentClient
from lbaas.domain.terms import Verdict
from lbaas.errors import BadState, ServerUnavailable
from lbaas.explain.hops import Stage
from lbaas.wire.explanation import Answer, FiveTuple, Question, Questions

FLOW = FiveTuple(client=ip_address("192.0.2.7"), vip=ip_address("198.51.100.7"), port=80)
ASKED = Questions(questions=(Question(id=UUID(int=1), flow=FLOW),))


class FakeServer:
    """Asks ASKED, and keeps what it is told, by path."""

    def __init__(self, asked: str) -> None:
        self.asked = asked
        self.told: dict[str, Answer] = {}

    def client(self) -> AgentClient:
        return AgentClient("http://server", "t", httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, text=self.asked)
        self.told[request.url.path] = Answer.model_validate_json(request.content)
        return httpx.Response(204)


def test_every_question_is_answered_with_what_is_seen() -> None:
    server = FakeServer(ASKED.model_dump_json())
    seen = Answer(hops=(Stage("lb1", "mark").ok("there"),))
    with closing(server.client()) as client:
        answer_all(client, lambda flow: seen if flow == FLOW else Answer(hops=()))
    assert server.told == {f"/v1/agent/answers/{UUID(int=1)}": seen}


def test_an_agent_that_cannot_look_says_why() -> None:
    def explain(_: FiveTuple) -> Answer:
        raise BadState("the state on disk can't be read")

    server = FakeServer(ASKED.model_dump_json())
    with closing(server.client()) as client:
        answer_all(client, explain)
    (answer,) = server.told.values()
    assert answer.hops[0].verdict is Verdict.UNKNOWN
    assert "can't be read" in answer.hops[0].cause


def test_what_is_no_list_of_questions_is_no_answer() -> None:
    with closing(FakeServer("<html>").client()) as client, pytest.raises(ServerUnavailable):
        answer_all(client, lambda _: Answer(hops=()))
