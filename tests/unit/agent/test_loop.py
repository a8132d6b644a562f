"""What an agent fetches, keeps and waits for."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from lbaas.agent.fetching import Desired
from lbaas.agent.last_good import LastGood
from lbaas.agent.loop import Agent
from lbaas.agent.pauses import Pauses
from lbaas.agent.rounds import Round
from lbaas.agent.settings import AgentSettings
from lbaas.client.agent import AgentClient, Fetched
from lbaas.errors import BadState, OtherPast
from lbaas.wire.entries import Entries
from lbaas.wire.reading import Reader
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


def test_pauses_double_up_to_five_seconds_and_start_over() -> None:
    pauses = Pauses()
    assert [pauses.next(0.5) for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    pauses.reset()
    assert pauses.next(0.5) == 0.5


def test_agents_that_lost_their_server_together_do_not_come_back_together() -> None:
    """Of a thousand, no tenth of a second sees more than a twentieth, though all lost it in one instant."""
    dice, outage_s = random.Random(7), 60.0

    def back_at() -> float:
        pauses, now_s = Pauses(), 0.0
        while now_s < outage_s:
            now_s += pauses.next(dice.random())
        return now_s

    arrivals = Counter(int(back_at() * 10) for _ in range(1000))
    assert max(arrivals.values()) <= 50


@pytest.mark.parametrize(("spread", "pause_s"), [(0.0, 0.25), (0.999, 0.7495)])
def test_a_pause_is_spread_by_half(spread: float, pause_s: float) -> None:
    assert Pauses().next(spread) == pytest.approx(pause_s)


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
    agent._inbox.put(Desired(FIRST, STATE))
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
    agent._reconcile_forever(Desired(FIRST, STATE))
    assert rounds == [STATE, STATE]


class Ended(BaseException):
    """The script of a :class:`Script` is at its end."""


class Script:
    """A client that gives, or raises, what is written, and keeps what it was asked."""

    def __init__(self, *answers: Fetched | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[int | None, bool]] = []
        self.past: Fetched | None = None

    def fetch(
        self, held: Fetched | None, *, whole: bool = False, past: Fetched | None = None
    ) -> Fetched | None:
        self.past = past
        self.asked.append((None if held is None else held.revision, whole))
        if not self._answers:
            raise Ended
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_where_the_digest_differs_the_next_fetch_asks_for_the_whole_and_the_one_after_does_not(
    tmp_path: Path,
) -> None:
    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=60)
    agent = Agent(settings, lambda *_: STATE, lambda *_: Round())
    script = Script(FIRST, BadState("the digest differs"), SECOND)

    with pytest.raises(Ended):
        agent._fetching.run(cast("AgentClient", script))

    assert script.asked == [(None, False), (7, False), (7, True), (8, False)]
    newest = agent._inbox.take(0)
    assert newest is not None
    assert newest.fetched == SECOND
    assert LastGood(tmp_path).load() == SECOND


def test_a_state_of_another_past_is_not_applied_but_reported_until_one_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbaas.agent.fetching.time.sleep", lambda _: None)
    monkeypatch.setattr("lbaas.agent.fetching._SAVE_AFTER_S", 0)
    LastGood(tmp_path).save(FIRST)
    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=60)
    read: list[int] = []
    agent: Agent[int] = Agent(settings, lambda _, revision: revision, lambda *_: Round())
    on_disk = agent._fetching.from_disk() or Desired(FIRST, 0)
    reported: list[tuple[str, ...]] = []

    class Watching(Script):
        """Does a round before each answer, as the main thread would."""

        def fetch(
            self, held: Fetched | None, *, whole: bool = False, past: Fetched | None = None
        ) -> Fetched | None:
            newest = agent._inbox.take(0) or on_disk
            read.append(newest.state)
            agent._round(newest)
            report = agent._reports.take(0)
            reported.append(() if report is None else tuple(f.subsystem for f in report.failures))
            return super().fetch(held, whole=whole, past=past)

    script = Watching(OtherPast("restored?"), OtherPast("restored?"), SECOND)
    with pytest.raises(Ended):
        agent._fetching.run(cast("AgentClient", script))

    assert script.past == FIRST
    assert read == [7, 7, 7, 8]
    assert reported == [(), ("epoch",), (), ()]
    assert script.asked == [(None, False)] * 3 + [(8, False)]


def test_a_machine_that_moved_starts_from_its_old_state_and_says_when_it_has_the_new_one(
    tmp_path: Path,
) -> None:
    LastGood(tmp_path).save(FIRST)
    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=60)
    agent = Agent(settings, lambda *_: STATE, lambda *_: Round())
    moved = replace(SECOND, agent=UUID(int=99))
    script = Script(moved, replace(moved, revision=9))

    desired = agent._fetching.from_disk()
    assert desired is not None
    assert desired.fetched == FIRST
    with capture_logs() as lines, pytest.raises(Ended):
        agent._fetching.run(cast("AgentClient", script))

    assert script.asked[0] == (None, False)
    told = [line for line in lines if "identity" in line["event"]]
    assert [(line["before"], line["now"]) for line in told] == [
        (str(FIRST.agent), str(moved.agent))
    ]


def answers(*some: httpx.Response) -> AgentClient:
    """A server that gives *some* answers, and then none."""
    left = iter(some)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/state") and (next_one := next(left, None)) is not None:
            return next_one
        raise _NoMore

    return AgentClient("http://server", "token", httpx.MockTransport(answer))


class _NoMore(BaseException):
    """Ends a loop that never does."""


def test_answers_that_are_no_state_change_nothing_and_the_next_good_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbaas.agent.fetching.time.sleep", lambda _: None)
    monkeypatch.setattr("lbaas.agent.fetching._SAVE_AFTER_S", 0)
    proof = {"LBaaS-Agent": str(FIRST.agent), "LBaaS-Digest": FIRST.digest}
    older = replace(FIRST, revision=6)
    good = httpx.Response(200, content=FIRST.body, headers=proof)
    newer = replace(SECOND, revision=9)
    bad = [
        httpx.Response(200, content=b"<html>a captive portal</html>", headers=proof),
        httpx.Response(200, content=newer.body[:-20], headers=proof),
        httpx.Response(200, content=newer.body, headers=proof),
        httpx.Response(200, content=older.body, headers=proof),
        httpx.Response(502, text="bad gateway"),
    ]
    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=60)
    read: list[int] = []

    def note(entries: Entries, revision: int) -> int:
        read.append(revision)
        return revision

    agent: Agent[int] = Agent(settings, note, lambda *_: Round())
    better = httpx.Response(200, content=newer.body, headers=proof | {"LBaaS-Digest": newer.digest})
    with pytest.raises(_NoMore):
        agent._fetching.run(answers(*bad[:3], good, *bad, better))
    assert read == [7, 9]


def test_each_report_is_told_of_with_the_time_that_its_round_took(tmp_path: Path) -> None:
    settings = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=60)
    told: list[tuple[int, float]] = []
    agent = Agent(
        settings,
        lambda *_: STATE,
        lambda *_: Round(changes=1),
        told=lambda report, round_s: told.append((report.changes, round_s)),
    )
    for fetched in (FIRST, SECOND):
        agent._round(Desired(fetched, STATE))
    assert [changes for changes, _ in told] == [1, 2]
    assert all(round_s >= 0 for _, round_s in told)
