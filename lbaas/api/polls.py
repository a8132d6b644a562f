"""The agents' long poll without the framework's way to it.

A thousand agents that have nothing to do ask forty times a second, and most of what each question costs is routing and
validation. So the regular one is answered here. Whatever is not (a wrong parameter, a token that does not hold, an
error) goes on to the route in :mod:`lbaas.api.routers.agent`, which is the one that is described, and says what is
wrong.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lbaas.api.dependencies import deadline
from lbaas.api.presented import certificate
from lbaas.api.routers.agent import respond
from lbaas.errors import Refused
from lbaas.persistence.outages import DATABASE_ERRORS
from lbaas.services import states
from lbaas.services.runtime import Runtime

PATH = "/v1/agent/state"
_NUMBER = re.compile(r"[0-9]{1,18}")
_SECONDS = re.compile(r"[0-5]?[0-9](\.[0-9]{1,6})?")


@dataclass(frozen=True)
class _Poll:
    since: int
    timeout_s: float


def regular(query: bytes) -> _Poll | None:
    """The poll of an agent that holds a state; None if *query* says anything else."""
    parameters = parse_qsl(query.decode("latin-1"))
    given = dict(parameters)
    if given.keys() != {"since", "timeout_s"} or len(parameters) != len(given):
        return None
    if not (_NUMBER.fullmatch(given["since"]) and _SECONDS.fullmatch(given["timeout_s"])):
        return None
    return _Poll(int(given["since"]), float(given["timeout_s"]))


class Polls:
    """Around the application: answers regular polls, and passes on the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            poll = regular(scope["query_string"])
            if poll is not None and await self._answered(poll, scope, receive, send):
                return
        await self.app(scope, receive, send)

    async def _answered(self, poll: _Poll, scope: Scope, receive: Receive, send: Send) -> bool:
        runtime: Runtime | None = scope["app"].state.runtime
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if runtime is None or scheme.lower() not in ("bearer", ""):
            return False
        try:
            presented = certificate(scope, headers)
            caller = await runtime.identified(token or None, presented)
            subject = states.subject_of(caller)
            answer = await runtime.states.newer(subject, poll.since, deadline(poll.timeout_s))
            accepted = headers.get("accept-encoding", "")
            response = await respond(runtime, caller, answer, poll.since, accepted)
        except (Refused, *DATABASE_ERRORS):
            return False
        await response(scope, receive, send)
        return True
