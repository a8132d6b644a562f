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
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lbaas.api.dependencies import deadline
from lbaas.api.middleware import request_id
from lbaas.api.presented import certificate
from lbaas.api.routers.agent import respond
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
    """Around the whole application: answers regular polls, and passes on the rest.

    Outside what all other answers go through (:mod:`lbaas.api.middleware`, :mod:`lbaas.api.measured`), which takes as
    long as what is done for a poll: a thousand are woken at once. So its answers are named and counted here.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await _response(self._runtime, scope) if _is_poll(scope) else None
        await (response or self._app)(scope, receive, send)


def _is_poll(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET")


async def _response(runtime: Runtime, scope: Scope) -> Response | None:
    """None if it is the described route's to answer.

    What can be made before the wait is: a thousand are woken at once.
    """
    poll = regular(scope["query_string"])
    headers = Headers(scope=scope)
    identity = (b"x-request-id", request_id(headers).encode())
    accepted = headers.get("accept-encoding", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if poll is None or scheme.lower() not in ("bearer", ""):
        return None
    try:
        caller = await runtime.identified(token or None, certificate(scope, headers))
        subject = states.subject_of(caller)
        answer = await runtime.states.newer(subject, poll.since, deadline(poll.timeout_s))
        response = await respond(runtime, caller, answer, poll.since, accepted)
    except Exception:  # noqa: BLE001 - whatever it was, the described route meets it too, and says what
        return None
    response.raw_headers.append(identity)
    runtime.metrics.requests.counted("GET", PATH, response.status_code)
    return response
