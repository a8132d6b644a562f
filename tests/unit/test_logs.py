"""A role's log, a line for each event."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from lbaas.logs import LogFormat, configure


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    before, handlers = structlog.get_config(), logging.root.handlers[:]
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers


def test_an_event_is_one_line_with_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("applied", revision=7)
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["revision"]) == ("applied", "info", 7)
    assert event["request_id"] == "r-1"
    assert event["timestamp"]


def test_logfmt_begins_with_time_level_and_event(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LBAAS_LOG_FORMAT", raising=False)
    configure()
    structlog.get_logger().warning("step failed", error="no")
    assert ' level=warning event="step failed" error=no' in capsys.readouterr().err


def test_a_list_is_words_in_logfmt_and_a_list_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.LOGFMT)
    structlog.get_logger().info("applied", revisions=[7, 8])
    configure(LogFormat.JSON)
    structlog.get_logger().info("applied", revisions=[7, 8])
    logfmt, as_json = capsys.readouterr().err.splitlines()
    assert ' event=applied revisions="7 8"' in logfmt
    assert json.loads(as_json)["revisions"] == [7, 8]


def test_what_a_library_warns_of_is_a_line_like_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(LogFormat.JSON)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        logging.getLogger("a.library").warning("no %s", "answer")
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["level"], event["logger"]) == (
        "no answer",
        "warning",
        "a.library",
    )
    assert event["request_id"] == "r-1"


def test_the_environment_chooses_and_must_make_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBAAS_LOG_FORMAT", "xml")
    with pytest.raises(ValueError, match="xml"):
        configure()
