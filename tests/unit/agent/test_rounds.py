"""The order of a round, and what a failure stops."""

from collections.abc import Sequence
from dataclasses import dataclass

from lbaas.agent.rounds import Subsystem, begin
from lbaas.dataplane.steps import Outcome, Plan
from lbaas.errors import StepFailed, ToolMissing


@dataclass(frozen=True)
class Note:
    key: str


class Journal:
    """Subsystems that write down what they were told, and fail where they are told to."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def subsystem(self, name: str, plan: Plan[Note]) -> Subsystem:
        def apply(steps: Sequence[Note]) -> Outcome[Note]:
            self.lines += [f"{name} {step.key}" for step in steps]
            bad = tuple(step for step in steps if step.key == "bad")
            return Outcome(
                tuple(step for step in steps if step not in bad),
                tuple((step, StepFailed(name, "Note", step.key, "told to")) for step in bad),
            )

        return Subsystem(name, lambda: plan, apply)


def test_withdrawing_goes_the_other_way_round() -> None:
    journal = Journal()
    plan = Plan((Note("in"),), (Note("out"),))
    round_ = begin([journal.subsystem("first", plan), journal.subsystem("second", plan)])
    round_.establish()
    round_.withdraw()
    assert journal.lines == ["first in", "second in", "second out", "first out"]
    assert round_.changes == 4


def test_an_empty_plan_makes_no_call() -> None:
    journal = Journal()
    round_ = begin([journal.subsystem("idle", Plan())])
    round_.establish()
    round_.withdraw()
    assert journal.lines == []
    assert round_.changes == 0


def test_a_failed_step_stops_neither_its_fellows_nor_the_next_subsystem() -> None:
    journal = Journal()
    plan = Plan((Note("bad"), Note("good")))
    round_ = begin([journal.subsystem("first", plan), journal.subsystem("second", plan)])
    round_.establish()
    assert journal.lines == ["first bad", "first good", "second bad", "second good"]
    assert round_.changes == 2
    assert [failed.error.subsystem for failed in round_.failures] == ["first", "second"]


def test_a_subsystem_that_cannot_be_observed_is_a_failure_and_the_others_go_on() -> None:
    def missing() -> Plan[Note]:
        raise ToolMissing("no IPVS")

    journal = Journal()
    blind = Subsystem("blind", missing, lambda _: Outcome())
    round_ = begin([blind, journal.subsystem("second", Plan((Note("good"),)))])
    round_.establish()
    assert journal.lines == ["second good"]
    (failed,) = round_.failures
    assert failed.step is None
    assert (failed.error.subsystem, failed.error.cause) == ("blind", "no IPVS")


def test_a_call_that_the_kernel_refuses_altogether_is_a_failure() -> None:
    def refuse(_: Sequence[Note]) -> Outcome[Note]:
        raise PermissionError(1, "Operation not permitted")

    round_ = begin([Subsystem("shut", lambda: Plan((Note("good"),)), refuse)])
    round_.establish()
    (failed,) = round_.failures
    assert "not permitted" in failed.error.cause
