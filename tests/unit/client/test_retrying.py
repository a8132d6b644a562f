"""What is sent again, when, and what never is."""

from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.client.exchange import IF_MATCH, KEY, Answer, Lost, Outcome, Request
from lbaas.client.problems import ApiProblem, ChangedMeanwhile, RateLimited, ServerFailed
from lbaas.client.retrying import NO_RETRIES, Retries, exchange
from lbaas.errors import ServerUnavailable

GET = Request("GET", "/v1/vips")
POST = Request("POST", "/v1/vips", headers={KEY: "k"})
PATCH = Request("PATCH", "/v1/vips/x")
GUARDED = Request("PATCH", "/v1/vips/x", headers={IF_MATCH: '"1"'})
DELETE = Request("DELETE", "/v1/vips/x")
FINE = Answer(200, {}, b"{}")
BUSY = Answer(503, {}, b"{}")
UNSENT, UNANSWERED = Lost("refused", sent=False), Lost("timed out", sent=True)


def tried(request: Request, *outcomes: Outcome, retries: Retries | None = None) -> list[float]:
    """How long each attempt waited, the flow having been sent *outcomes* and finished well."""
    flow = exchange(request, retries or Retries())
    waits = [next(flow).after_s]
    waits += [flow.send(outcome).after_s for outcome in outcomes[:-1]]
    with pytest.raises(StopIteration):
        flow.send(outcomes[-1])
    return waits


def refused(request: Request, outcome: Outcome, retries: Retries | None = None) -> None:
    flow = exchange(request, retries or Retries())
    next(flow)
    flow.send(outcome)


def test_waits_double() -> None:
    assert tried(GET, UNSENT, UNSENT, UNSENT, FINE) == [0, 0.2, 0.4, 0.8]


def test_retry_after_is_waited_for_where_it_is_longer() -> None:
    hasty = Answer(429, {"retry-after": "3"})
    assert tried(PATCH, hasty, FINE) == [0, 3]
    assert tried(PATCH, Answer(429, {"retry-after": "0"}), FINE) == [0, 0.2]
    assert tried(PATCH, Answer(429, {"retry-after": "Mon, 01 Jan"}), FINE) == [0, 0.2]


def test_who_asks_for_more_patience_than_there_is_gets_the_error_at_once() -> None:
    with pytest.raises(RateLimited) as caught:
        refused(GET, Answer(429, {"retry-after": "600"}))
    assert caught.value.retry_after_s == 600


@pytest.mark.parametrize("request_", [GET, POST, PATCH, DELETE])
@pytest.mark.parametrize("outcome", [UNANSWERED, BUSY, Answer(502, {}), Answer(504, {})])
def test_what_may_have_been_done_is_repeated_where_that_is_harmless(
    request_: Request, outcome: Outcome
) -> None:
    assert tried(request_, outcome, FINE) == [0, 0.2]


@pytest.mark.parametrize("request_", [GUARDED, Request("POST", "/v1/vips")])
def test_what_may_have_been_done_is_not_repeated_where_it_is_not(request_: Request) -> None:
    with pytest.raises(ServerUnavailable, match="timed out"):
        refused(request_, UNANSWERED)
    with pytest.raises(ServerFailed):
        refused(request_, BUSY)
    assert tried(request_, UNSENT, FINE) == [0, 0.2]


def test_a_dry_run_is_always_harmless() -> None:
    plan = Request("PATCH", "/v1/vips/x", {"dry_run": "true"}, headers={IF_MATCH: '"1"'})
    assert tried(plan, UNANSWERED, FINE) == [0, 0.2]


def test_a_request_in_flight_is_asked_for_again_and_another_conflict_is_not() -> None:
    assert tried(POST, Answer(409, {"retry-after": "1"}), FINE) == [0, 1]
    with pytest.raises(ApiProblem):
        refused(POST, Answer(409, {}))


def test_a_change_meanwhile_is_not_retried() -> None:
    with pytest.raises(ChangedMeanwhile):
        refused(GUARDED, Answer(412, {}))


def test_a_delete_whose_answer_was_lost_and_that_finds_nothing_any_more_is_done() -> None:
    assert tried(DELETE, UNANSWERED, Answer(404, {})) == [0, 0.2]
    with pytest.raises(ApiProblem):
        refused(DELETE, Answer(404, {}))


def test_without_retries_the_first_outcome_counts() -> None:
    with pytest.raises(ServerUnavailable, match="GET /v1/vips: refused"):
        refused(GET, UNSENT, NO_RETRIES)


OUTCOMES = st.one_of(
    st.builds(Lost, st.just("gone"), sent=st.booleans()),
    st.builds(
        Answer,
        st.sampled_from([200, 204, 404, 409, 412, 429, 500, 502, 503]),
        st.sampled_from([{}, {"retry-after": "2"}, {"retry-after": "9"}]),
    ),
)


@given(
    st.sampled_from([GET, POST, PATCH, GUARDED, DELETE]),
    st.lists(OUTCOMES, min_size=6, max_size=6),
    st.integers(1, 6),
    st.floats(0, 20),
)
def test_attempts_and_patience_are_never_exceeded(
    request_: Request, outcomes: list[Outcome], attempts: int, patience_s: float
) -> None:
    flow = exchange(request_, Retries(attempts=attempts, patience_s=patience_s))
    waits = [next(flow).after_s]
    # A flow that has ended in good or in bad.
    with suppress(ApiProblem, ServerUnavailable, RuntimeError):
        waits.extend(flow.send(outcome).after_s for outcome in outcomes)
    assert len(waits) <= attempts
    assert sum(waits) <= patience_s


def test_httpx_is_not_needed_to_decide() -> None:
    assert httpx.__name__ not in vars(__import__(exchange.__module__, fromlist=["x"]))
