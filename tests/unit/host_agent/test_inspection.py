"""What ``host-agent check`` makes of a host."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from lbaas.agent.rounds import Failed, Round, Subsystem
from lbaas.dataplane.link.plan import AddDevice
from lbaas.dataplane.steps import Outcome, Plan
from lbaas.errors import StepFailed
from lbaas.host_agent.inspection import Line, differences, render
from lbaas.host_agent.reconcile import Host
from lbaas.wire.state import HostState
from tests.unit.dataplane.guard.test_desired import STATE


class Planned(Host):
    """A host of which it is known what a round would do."""

    def __init__(self, round_: Round) -> None:
        super().__init__()
        self._round = round_

    def planned(self, state: HostState) -> Round:
        assert state == STATE
        return self._round


def nothing(steps: Sequence[Any]) -> Outcome[Any]:
    raise AssertionError("a check changes nothing")


def part(name: str, *steps: AddDevice) -> tuple[Subsystem, Plan[AddDevice]]:
    plan = Plan(tuple(steps))
    return Subsystem(name, lambda: plan, nothing), plan


def test_what_is_as_it_should_be_is_said_to() -> None:
    round_ = Round(plans=[part("guard"), part("link")])
    assert [line.wrong for line in differences(STATE, Planned(round_))] == ["", ""]


def test_each_difference_is_a_line_with_the_command_that_mends_it() -> None:
    round_ = Round(plans=[part("link", AddDevice("lbtun4"))])
    (line,) = differences(STATE, Planned(round_))
    assert line.wrong == "not there, or down"
    assert line.mend.startswith("ip link add name lbtun4 type ipip external")


def test_what_can_not_be_looked_at_is_wrong() -> None:
    failed = Failed(None, StepFailed("guard", "observe", "*", "no nftables"))
    (line,) = differences(STATE, Planned(Round(failures=[failed])))
    assert "no nftables" in line.wrong


def test_a_person_reads_what_is_wrong_and_what_to_do() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(render([Line("link"), Line("link: lbtun4", "not there", "ip link add")]))
    lines = shown.get().splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["ok", "wrong"]
    assert "ip link add" in shown.get()
