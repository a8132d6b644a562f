"""What the agents' client believes, and what it refuses."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
import zstandard

from lbaas.client.agent import AgentClient, Fetched
from lbaas.errors import BadState, Decommissioned, OtherPast, ServerUnavailable
from lbaas.wire.body import Update, encode
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.lineage import Origin
from lbaas.wire.report import Report
from lbaas.wire.usage import UsageAcknowledged, UsageReport, UsageReports

AGENT = UUID(int=7)
OLD, NEW = Entries.of({"host": b"1", "vip/1": b"1"}), Entries.of({"host": b"2"})
HELD = Fetched(AGENT, "host", 41, OLD)
WHOLE = encode(Update("host", None, 42, NEW.at(NEW.values)))
DELTA = encode(Update("host", 41, 42, Delta({"host": b"2"}, frozenset({"vip/1"}))))
HEADERS = {"LBaaS-Agent": str(AGENT), "LBaaS-Revision": "42", "LBaaS-Digest": NEW.digest}
REPORT = Report(boot=UUID(int=1), sequence=1, revision=42, digest="d", changes=0, repaired=0)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> AgentClient:
    return AgentClient("http://server", "secret", httpx.MockTransport(answer))


@pytest.mark.parametrize("body", [WHOLE, DELTA])
def test_a_state_is_fetched_whole_or_by_what_changed(body: bytes) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=body, headers=HEADERS)

    assert client(answer).fetch(HELD) == Fetched(AGENT, "host", 42, NEW)
    (request,) = asked
    assert request.headers["Authorization"] == "Bearer secret"
    assert "zstd" in request.headers["Accept-Encoding"]
    assert dict(request.url.params) == {"since": "41", "timeout_s": "25"}


def test_the_whole_is_asked_for_not_older_than_what_is_held() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert dict(request.url.params) == {"since": "41", "timeout_s": "25", "whole": "true"}
        return httpx.Response(200, content=WHOLE, headers=HEADERS)

    assert client(answer).fetch(HELD, whole=True) == Fetched(AGENT, "host", 42, NEW)


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [("gzip", gzip.compress(WHOLE, mtime=0)), ("zstd", zstandard.compress(WHOLE))],
)
def test_a_compressed_state_is_the_same_state(coding: str, encoded: bytes) -> None:
    headers = HEADERS | {"Content-Encoding": coding}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=encoded, headers=headers)

    assert client(answer).fetch(None) == Fetched(AGENT, "host", 42, NEW)


def test_the_first_fetch_asks_for_whatever_there_is() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "since" not in request.url.params
        return httpx.Response(304)

    assert client(answer).fetch(None) is None


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS | {"LBaaS-Digest": OLD.digest},
        {name: value for name, value in HEADERS.items() if name != "LBaaS-Digest"},
        {name: value for name, value in HEADERS.items() if name != "LBaaS-Agent"},
        HEADERS | {"LBaaS-Agent": "lb1"},
    ],
)
def test_a_state_without_its_proof_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadState):
        client(lambda _: httpx.Response(200, content=WHOLE, headers=headers)).fetch(None)


@pytest.mark.parametrize(
    "held",
    [
        None,
        replace(HELD, revision=40),
        replace(HELD, kind="cluster"),
        replace(HELD, entries=Entries.of({"vip/2": b"1"})),
    ],
)
def test_a_delta_that_does_not_lead_from_what_we_hold_is_refused(held: Fetched | None) -> None:
    with pytest.raises(BadState):
        client(lambda _: httpx.Response(200, content=DELTA, headers=HEADERS)).fetch(held)


def test_a_state_older_than_what_we_hold_is_refused_until_we_hold_none() -> None:
    """A replica that lags behind, or a database that was restored: the second is for an operator to say."""
    answering = client(lambda _: httpx.Response(200, content=WHOLE, headers=HEADERS))
    with pytest.raises(BadState, match="older than 43"):
        answering.fetch(replace(HELD, revision=43), whole=True)
    assert answering.fetch(None) is not None


EPOCH, RENEWED = str(UUID(int=1)), str(UUID(int=2))
HELD_WELL = replace(HELD, origin=Origin(UUID(EPOCH), 700))


def of_epoch(epoch: str, **since: str) -> dict[str, str]:
    """An answer's headers, of a revision that was made at 900."""
    return HEADERS | {"LBaaS-Epoch": epoch, "LBaaS-Made-At": "900"} | since


def test_a_state_of_a_server_that_knows_what_we_hold_follows_it() -> None:
    known = of_epoch(EPOCH, **{"LBaaS-Since-Made-At": "700"})
    fetched = client(lambda _: httpx.Response(200, content=DELTA, headers=known)).fetch(HELD_WELL)
    assert fetched == Fetched(AGENT, "host", 42, NEW, Origin(UUID(EPOCH), 900))


@pytest.mark.parametrize("since", [{}, {"LBaaS-Since-Made-At": "701"}])
@pytest.mark.parametrize("body", [WHOLE, DELTA])
def test_a_state_of_another_past_is_refused_whether_we_hold_ours_in_memory_or_on_disk(
    body: bytes, since: dict[str, str]
) -> None:
    headers = of_epoch(EPOCH, **since)
    answering = client(lambda _: httpx.Response(200, content=body, headers=headers))
    with pytest.raises(OtherPast, match="nothing of 41"):
        answering.fetch(HELD_WELL)
    with pytest.raises(OtherPast, match="nothing of 41"):
        answering.fetch(None, past=HELD_WELL)


def test_a_new_epoch_is_followed_back_to_an_older_revision() -> None:
    later = replace(HELD_WELL, revision=43)
    headers = of_epoch(RENEWED)
    answering = client(lambda _: httpx.Response(200, content=WHOLE, headers=headers))
    for fetched in (answering.fetch(later), answering.fetch(None, past=later)):
        assert fetched == Fetched(AGENT, "host", 42, NEW, Origin(UUID(RENEWED), 900))


def test_a_machine_that_has_become_another_node_has_no_past() -> None:
    another = replace(HELD_WELL, agent=UUID(int=8))
    headers = of_epoch(EPOCH)

    def answer(request: httpx.Request) -> httpx.Response:
        assert dict(request.url.params) == {"past": "41", "timeout_s": "25"}
        return httpx.Response(200, content=WHOLE, headers=headers)

    assert client(answer).fetch(None, past=another) is not None


def test_a_state_that_was_fetched_can_be_kept_as_a_whole() -> None:
    fetched = client(lambda _: httpx.Response(200, content=DELTA, headers=HEADERS)).fetch(HELD)
    assert fetched is not None
    assert fetched.body == WHOLE


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_an_error_is_no_state(status: int) -> None:
    with pytest.raises(ServerUnavailable, match=str(status)):
        client(lambda _: httpx.Response(status, text="why")).fetch(None)


def test_an_agent_whose_node_was_deleted_is_told_apart() -> None:
    gone = client(lambda _: httpx.Response(410, text="the node was deleted"))
    with pytest.raises(Decommissioned, match="was deleted"):
        gone.fetch(HELD)


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


USAGE = UsageReports(reports=(UsageReport(meter=AGENT, sequence=3, begun_s=60, ended_s=120),))


def test_usage_is_sent_whole_and_what_is_acknowledged_comes_back() -> None:
    acknowledged = UsageAcknowledged(meter=AGENT, sequence=3)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/agent/usage"
        assert UsageReports.model_validate_json(request.content) == USAGE
        return httpx.Response(200, content=acknowledged.model_dump_json())

    assert client(answer).usage(USAGE) == acknowledged


@pytest.mark.parametrize(("headers", "asked_s"), [({"Retry-After": "30"}, 30.0), ({}, 0.0)])
def test_a_server_that_asks_for_patience_says_how_much(
    headers: dict[str, str], asked_s: float
) -> None:
    with pytest.raises(ServerUnavailable) as refused:
        client(lambda _: httpx.Response(503, headers=headers)).usage(USAGE)
    assert refused.value.retry_after_s == asked_s


def test_an_answer_that_acknowledges_nothing_is_none() -> None:
    with pytest.raises(ServerUnavailable):
        client(lambda _: httpx.Response(200, content=b"<html>")).usage(USAGE)
