"""When a request is sent again, and how much later. Pure: the transport sleeps."""

from dataclasses import dataclass
from http import HTTPStatus
from itertools import count

from lbaas.client.exchange import Answer, Attempt, Flow, Lost, Outcome, Request
from lbaas.client.problems import problem_of
from lbaas.errors import ServerUnavailable

# What a server, or a proxy before it, says when it may or may not have done the request.
_IN_DOUBT = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


@dataclass(frozen=True)
class Retries:
    """At most *attempts*, and no more than *patience_s* of waiting between them all together.

    The n-th wait is *first_wait_s* · 2ⁿ, or what ``Retry-After`` asks for if that is longer.
    """

    attempts: int = 5
    first_wait_s: float = 0.2
    patience_s: float = 15


NO_RETRIES = Retries(attempts=1)


def exchange(request: Request, retries: Retries, after_s: float = 0) -> Flow[Answer]:
    """The server's good answer, asked for *after_s* seconds from now.

    Raises ApiProblem if it refuses, ServerUnavailable if none came.
    """
    waited_s, wait_s = 0.0, after_s
    in_doubt = False
    for attempt in count(1):
        outcome = yield Attempt(request, wait_s)
        wait_s = _wait(outcome, attempt, retries)
        waited_s += wait_s
        worth_it = attempt < retries.attempts and waited_s <= retries.patience_s
        if not (worth_it and _may_repeat(request, outcome)):
            return _concluded(request, outcome, in_doubt=in_doubt)
        in_doubt |= _doubtful(outcome)
    raise AssertionError("count() ends never")


def _may_repeat(request: Request, outcome: Outcome) -> bool:
    """Repeating it may succeed, and does no harm."""
    if _doubtful(outcome):
        return request.repeatable
    if isinstance(outcome, Lost):
        return True
    refused_for_now = outcome.status == HTTPStatus.TOO_MANY_REQUESTS
    return refused_for_now or (
        outcome.status == HTTPStatus.CONFLICT and retry_after_s(outcome) is not None
    )


def _doubtful(outcome: Outcome) -> bool:
    """The server may have done the request."""
    return outcome.sent if isinstance(outcome, Lost) else outcome.status in _IN_DOUBT


def _wait(outcome: Outcome, attempt: int, retries: Retries) -> float:
    asked_s = retry_after_s(outcome) if isinstance(outcome, Answer) else None
    return max(asked_s or 0, retries.first_wait_s * float(2 ** (attempt - 1)))


def retry_after_s(answer: Answer) -> float | None:
    """What ``Retry-After`` says in seconds. A date, which our server never says, is as good as nothing."""
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else None


def _concluded(request: Request, outcome: Outcome, *, in_doubt: bool) -> Answer:
    if isinstance(outcome, Lost):
        raise ServerUnavailable(f"{request}: {outcome.why}")
    if outcome.status < HTTPStatus.BAD_REQUEST:
        return outcome
    gone = outcome.status == HTTPStatus.NOT_FOUND and request.method == "DELETE"
    if gone and in_doubt:  # by an earlier attempt, whose answer was lost
        return Answer(HTTPStatus.NO_CONTENT, {})
    raise problem_of(outcome.status, outcome.reason, outcome.content, retry_after_s(outcome))
