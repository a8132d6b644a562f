"""The meter beside an agent: it hears of states, and whatever fails it goes on."""

import threading
from collections.abc import Callable, Collection
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest

from lbaas.agent.settings import AgentSettings
from lbaas.errors import StepFailed
from lbaas.metering.counter import Counter
from lbaas.metering.metering import Metering, MeterSettings
from lbaas.metering.periods import Period
from lbaas.metering.places import HERE, Place
from lbaas.wire.entries import Entries
from lbaas.wire.report import Unsent
from tests.unit.metering.kernel import ENTRIES, FakeSource


class Ended(BaseException):
    """The script is at its end."""


class FakeCounter:
    """Notes what it is asked, fails as written, and ends when *rounds* of looking for disturbance are over."""

    def __init__(self, rounds: int, *, disturbed: bool = False, failures: int = 0) -> None:
        self.heard: list[Entries] = []
        self.closed = self.mended = 0
        self.places: Collection[Place] = ()
        self._rounds = rounds
        self._disturbed = disturbed
        self._failures = failures

    def hear(self, entries: Entries) -> None:
        self.heard.append(entries)

    def attend(self, places: Collection[Place]) -> None:
        self.places = places

    def leave(self) -> None:
        pass

    def mend(self) -> bool:
        self._rounds -= 1
        if self._rounds < 0:
            raise Ended
        self.mended += self._disturbed
        if self._disturbed and self.mended <= self._failures:
            raise StepFailed("usage", "turn", "*", "no memory")
        return self._disturbed

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def metering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Metering:
    """Its clock stands still, its pauses are short."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    agent = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=0.001)
    return Metering(MeterSettings(FakeSource()), agent)


def count(metering: Metering, counter: FakeCounter, wake: Callable[[], object] = int) -> None:
    with closing(metering._buffer()) as buffer, pytest.raises(Ended):
        metering._count_forever(buffer, cast("Counter", counter), cast("Callable[[], None]", wake))


def test_the_meter_hears_of_every_state_that_the_agent_reads(metering: Metering) -> None:
    read = metering.hearing(lambda entries, revision: (len(entries.values), revision))
    assert read(ENTRIES, 7) == (1, 7)
    counter = FakeCounter(rounds=3)
    count(metering, counter)
    assert counter.heard == [ENTRIES]


def test_a_state_that_the_agent_cant_read_is_not_heard_of(metering: Metering) -> None:
    def unreadable(entries: Entries, revision: int) -> None:
        raise ValueError(entries, revision)

    with pytest.raises(ValueError, match="7"):
        metering.hearing(unreadable)(ENTRIES, 7)
    counter = FakeCounter(rounds=1)
    count(metering, counter)
    assert counter.heard == []


def test_within_a_period_nothing_is_closed_but_what_somebody_disturbed_is_mended_and_sent(
    metering: Metering,
) -> None:
    for disturbed, wakes in ((False, 0), (True, 3)):
        woken: list[int] = []
        counter = FakeCounter(rounds=3, disturbed=disturbed)
        count(metering, counter, lambda woken=woken: woken.append(1))  # type: ignore[misc]  # bound now
        assert (counter.closed, len(woken)) == (0, wakes)


def test_it_counts_where_it_runs_until_it_is_told_of_other_places(metering: Metering) -> None:
    counter = FakeCounter(rounds=2)
    count(metering, counter)
    assert list(counter.places) == [HERE]
    pod = Place("4026532500", Path("/run/netns/pod"))
    metering.attend((pod,))
    counter = FakeCounter(rounds=2)
    count(metering, counter)
    assert list(counter.places) == [pod]


def test_a_period_ends_when_the_clock_is_in_another_also_when_it_was_set_back(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([1000.0, 1000.0, 2000.0, 2000.0, 2000.0, 500.0, 500.0])
    monkeypatch.setattr("time.time", lambda: next(seconds, 500.0))
    counter = FakeCounter(rounds=9)
    count(metering, counter)
    assert counter.closed == 2


def test_what_the_kernel_refuses_is_tried_again(metering: Metering) -> None:
    woken: list[int] = []
    counter = FakeCounter(rounds=3, disturbed=True, failures=2)
    count(metering, counter, lambda: woken.append(1))
    assert (counter.mended, woken) == (3, [1])


def test_what_waits_for_the_server_is_known_once_it_was_looked_at(metering: Metering) -> None:
    assert metering.unsent() is None
    with closing(metering._buffer()) as buffer:
        buffer.enter(Period(begun_s=999_960, ended_s=1_000_020), {})
    count(metering, FakeCounter(rounds=2))
    assert metering.unsent() == Unsent(periods=1, since_s=999_960)


def test_where_nothing_shall_be_counted_the_table_of_each_place_is_removed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    monkeypatch.setattr("lbaas.metering.metering.Nft", BytesIO)
    monkeypatch.setattr("lbaas.metering.metering.remove", lambda _, table: removed.append(table))
    agent = AgentSettings("http://server", tmp_path / "token", tmp_path, cycle_s=1)
    metering = Metering(MeterSettings(FakeSource(), wanted=False, places=()), agent)
    metering.run()
    for number in (1, 1, 2, 2):
        metering.attend([Place(str(each)) for each in range(number)])
    assert removed == ["fake", "fake"]


class Attending(FakeCounter):
    """Ends after it has been told of another place than the first."""

    def mend(self) -> bool:
        if HERE not in self.places:
            raise Ended
        return False


def test_a_place_is_counted_by_the_time_that_it_has_been_attended(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbaas.metering.metering._MOST_WAIT_S", 60)
    counter, pod = Attending(rounds=0), Place("4026532500", Path("/run/netns/pod"))
    counting = threading.Thread(target=count, args=(metering, counter))
    counting.start()
    metering.attend((pod,))
    assert list(counter.places) == [pod]
    counting.join(60)
