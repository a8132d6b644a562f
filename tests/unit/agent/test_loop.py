"""What an agent counts, reports and waits for."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

import pytest

from lbaas.agent.details import Details
from lbaas.agent.loop import Agent, AgentSettings, Ledger, Pauses, _Desired
from lbaas.agent.rounds import Failed, Round
from lbaas.client.agent import Fetched
from lbaas.errors import StepFailed
from lbaas.wire.entries import Entries
from lbaas.wire.reading import Reader
from lbaas.wire.report import Dropped, Unhealthy
from lbaas.wire.state import ClusterState, MarkRange

FIRST = Fetched(UUID(int=1), "host", 7, Entries.of({"host": b"1"}))
SECOND = Fetched(UUID(int=1), "host", 8, Entries.of({"host": b"2"}))
STATE = ClusterState(
    cluster=UUID(int=2),
    revision=7,
    as_number=65001,
    marks=MarkRange(first=1, last=9),
    nodes={},
    peers=(),
    vips=(),
    announced=(),
    services=(),
    flows=(),
)
BROKEN = Failed(None, StepFailed("ipvs", "observe", "*", "no IPVS"))


def test_pauses_double_up_to_five_seconds_and_start_over() -> None:
    pauses = Pauses()
    assert [pauses.next(0.5) for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    pauses.reset()
    assert pauses.next(0.5) == 0.5


@pytest.mark.parametrize(("spread", "pause_s"), [(0.0, 0.25), (0.999, 0.7495)])
def test_a_pause_is_spread_by_half(spread: float, pause_s: float) -> None:
    assert Pauses().next(spread) == pytest.approx(pause_s)


def test_the_first_round_is_reported_with_its_changes() -> None:
    report = Ledger().enter(FIRST, Round(changes=3), now_s=0)
    assert report is not None
    assert (report.sequence, report.revision, report.digest) == (1, 7, FIRST.digest)
    assert (report.changes, report.repaired, report.failures) == (3, 0, ())


def test_a_round_without_news_is_reported_only_as_a_sign_of_life() -> None:
    ledger = Ledger()
    ledger.enter(FIRST, Round(changes=3), now_s=0)
    assert ledger.enter(FIRST, Round(), now_s=29) is None
    report = ledger.enter(FIRST, Round(), now_s=30)
    assert report is not None
    assert report.changes == 3


def test_changes_under_an_unchanged_state_are_repairs() -> None:
    ledger = Ledger()
    ledger.enter(FIRST, Round(changes=3), now_s=0)
    report = ledger.enter(FIRST, Round(changes=2), now_s=1)
    assert report is not None
    assert (report.changes, report.repaired) == (5, 2)


def test_finishing_what_had_failed_is_no_repair() -> None:
    ledger = Ledger()
    ledger.enter(FIRST, Round(changes=3, failures=[BROKEN]), now_s=0)
    report = ledger.enter(FIRST, Round(changes=2), now_s=1)
    assert report is not None
    assert (report.changes, report.repaired) == (5, 0)


def test_withdrawing_what_had_to_wait_is_no_repair() -> None:
    ledger = Ledger()
    ledger.enter(FIRST, Round(changes=1, pending=True), now_s=0)
    report = ledger.enter(FIRST, Round(changes=2), now_s=1)
    assert report is not None
    assert (report.changes, report.repaired) == (3, 0)


def test_a_new_state_is_no_repair_and_has_the_next_number() -> None:
    ledger = Ledger()
    ledger.enter(FIRST, Round(), now_s=0)
    report = ledger.enter(SECOND, Round(changes=1), now_s=1)
    assert report is not None
    assert (report.sequence, report.revision, report.repaired) == (2, 8, 0)


def test_failures_are_reported_with_their_cause_and_so_is_their_end() -> None:
    ledger = Ledger()
    report = ledger.enter(FIRST, Round(failures=[BROKEN]), now_s=0)
    assert report is not None
    assert [(each.subsystem, each.cause) for each in report.failures] == [("ipvs", "no IPVS")]
    assert ledger.enter(FIRST, Round(failures=[BROKEN]), now_s=1) is None
    mended = ledger.enter(FIRST, Round(), now_s=2)
    assert mended is not None
    assert mended.failures == ()


def test_a_new_revision_of_an_equal_state_is_reported_too() -> None:
    """Somebody may wait for the revision, even if it changed nothing for this agent."""
    ledger = Ledger()
    ledger.enter(FIRST, Round(), now_s=0)
    report = ledger.enter(replace(FIRST, revision=9), Round(), now_s=1)
    assert report is not None
    assert (report.revision, report.digest) == (9, FIRST.digest)


def test_a_state_that_comes_after_the_signal_does_not_keep_the_agent_running(
    tmp_path: Path,
) -> None:
    rounds: list[ClusterState] = []

    def reconcile(state: ClusterState, _: UUID) -> Round:
        rounds.append(state)
        return Round()

    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=60)
    agent = Agent(settings, Reader(ClusterState).read, reconcile)
    agent.stop()
    agent._inbox.put(_Desired(FIRST, STATE))
    agent._reconcile_forever(None)
    assert rounds == []


def test_a_woken_agent_does_its_round_at_once(tmp_path: Path) -> None:
    rounds: list[ClusterState] = []

    def reconcile(state: ClusterState, _: UUID) -> Round:
        rounds.append(state)
        agent.stop() if len(rounds) == 2 else agent.wake()
        return Round()

    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=3600)
    agent = Agent(settings, Reader(ClusterState).read, reconcile)
    agent._reconcile_forever(_Desired(FIRST, STATE))
    assert rounds == [STATE, STATE]


def test_an_unfit_backend_is_news_and_a_moved_counter_is_not() -> None:
    ledger = Ledger()
    ledger.enter(FIRST, Round(), now_s=0)
    counted = Details(dropped=(Dropped(mark=1, rate=5),))
    assert ledger.enter(FIRST, Round(), 1, counted) is None
    unfit = Unhealthy(mark=1, address=IPv4Address("10.0.20.11"), since=5, cause="refused")
    report = ledger.enter(FIRST, Round(), 2, Details(checked=1, unhealthy=(unfit,)))
    assert report is not None
    assert (report.checked, report.unhealthy) == (1, (unfit,))
