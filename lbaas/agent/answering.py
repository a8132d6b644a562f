"""Questions of the server are answered beside the loop: what fails here delays nothing that forwards."""

import random
import time
from collections.abc import Callable
from typing import TypeAlias

import structlog

from lbaas.agent.settings import AgentSettings
from lbaas.client.agent import AgentClient
from lbaas.errors import LbaasError, ServerUnavailable
from lbaas.explain.hops import Stage, Unseen
from lbaas.wire.explanation import Answer, FiveTuple

log = structlog.get_logger()

Explain: TypeAlias = Callable[[FiveTuple], Answer]

# A server that is away, or too old to ask, is tried again after about so long.
_PAUSE_S = 30.0


def answer_forever(settings: AgentSettings, explain: Explain) -> None:
    """What the server asks is answered with *explain*, whatever happens."""
    client = settings.client()
    while True:
        try:
            answer_all(client, explain)
        except ServerUnavailable as error:
            log.debug("no questions from the server", error=str(error))
            _pause()
        except Exception:  # nobody foresaw it, and the next question is another
            log.exception("answering broke off")
            _pause()


def answer_all(client: AgentClient, explain: Explain) -> None:
    """What is asked now, or soon, is answered. Raises ServerUnavailable."""
    for question in client.questions().questions:
        client.answer(question.id, _answer(explain, question.flow))


def _answer(explain: Explain, flow: FiveTuple) -> Answer:
    try:
        return explain(flow)
    except (LbaasError, OSError) as error:
        hop = Stage("this machine", "look").unknown("the agent looks", Unseen(str(error)))
        return Answer(hops=(hop,))


def _pause() -> None:
    time.sleep(_PAUSE_S * (0.5 + random.random()))  # noqa: S311  # spreading, not secrecy
