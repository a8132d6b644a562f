"""The command line's answers to how a run went."""

import json
import signal
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lbaas.demo import cli
from lbaas.demo.judge import judge
from lbaas.demo.run import Record
from lbaas.lab.topology import Topology
from tests.unit.demo.samples import FACTS, PROGRAMMED

GOOD = Record(tuple((fact, judge(fact)) for fact in FACTS), 31.0)
LATE = replace(PROGRAMMED, programmed=False)
BAD = Record(((LATE, judge(LATE)),), 9.0)


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[int, object]:
    """What the command line does about signals, kept from the test's own process."""
    kept: dict[int, object] = {}
    monkeypatch.setattr(signal, "signal", kept.__setitem__)
    return kept


def finds(monkeypatch: pytest.MonkeyPatch, record: Record) -> list[Topology]:
    """The runs will find *record*; the topologies that they were asked for."""
    asked: list[Topology] = []

    def run(console: Console, topology: Topology, *, stay: bool) -> Record:
        console.print("the story")
        asked.append(topology)
        return record

    monkeypatch.setattr(cli, "run", run)
    return asked


@pytest.mark.parametrize(("record", "status"), [(GOOD, 0), (BAD, 1)])
def test_the_exit_status_says_whether_all_claims_held(
    monkeypatch: pytest.MonkeyPatch, record: Record, status: int
) -> None:
    finds(monkeypatch, record)
    assert CliRunner().invoke(cli.app, []).exit_code == status


@pytest.mark.parametrize("record", [GOOD, BAD])
def test_json_is_all_that_stdout_gets(monkeypatch: pytest.MonkeyPatch, record: Record) -> None:
    finds(monkeypatch, record)
    result = CliRunner().invoke(cli.app, ["--json"])
    assert json.loads(result.stdout)["holds"] == record.holds
    assert result.stderr == "the story\n"


def test_the_datacentre_is_as_large_as_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = finds(monkeypatch, GOOD)
    CliRunner().invoke(cli.app, ["--nodes", "3", "--backends", "5"])
    assert asked == [Topology(nodes=3, backends=5)]


@pytest.mark.parametrize("option", ["--nodes", "--backends"])
def test_one_of_a_kind_is_refused_since_losing_it_would_show_nothing(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    asked = finds(monkeypatch, GOOD)
    assert CliRunner().invoke(cli.app, [option, "1"]).exit_code == 2
    assert asked == []


def test_an_interruption_is_told_and_has_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*_: object, **__: object) -> Record:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", run)
    result = CliRunner().invoke(cli.app, [])
    assert result.exit_code == 130
    assert "everything was taken down" in result.output


def test_a_second_interruption_does_not_stop_the_taking_down(handlers: dict[int, object]) -> None:
    with pytest.raises(KeyboardInterrupt):
        cli._interrupt(signal.SIGINT, None)
    assert handlers == {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN}
