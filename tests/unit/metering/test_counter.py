"""Periods follow each other without a loss, whatever ends the agent and whenever."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbaas.metering.buffer import Buffer
from lbaas.metering.counter import Counter
from lbaas.metering.periods import Period
from lbaas.metering.places import HERE, Place
from lbaas.metering.room import Room
from lbaas.wire.state import MarkRange
from lbaas.wire.usage import UsageReport, UsageReports
from tests.unit.metering.kernel import (
    ENTRIES,
    MARK,
    Crash,
    Crashes,
    FakeLedger,
    FakeSource,
    FakeTable,
)


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    with closing(Buffer(tmp_path / "usage.db")) as opened:
        yield opened


def counter(buffer: Buffer, table: FakeTable, source: FakeSource | None = None) -> Counter:
    seconds = count(1000)
    made = Counter(
        source or FakeSource(),
        buffer,
        lambda _: table,
        clock=lambda: next(seconds),
        settle=lambda: None,
    )
    made.attend((HERE,))
    return made


def at_places(buffer: Buffer, tables: Mapping[str, FakeTable]) -> Counter:
    """A counter that has heard a state and looks after all of *tables*."""
    seconds = count(1000)
    counting = Counter(
        FakeSource(),
        buffer,
        lambda place: tables[place.name],
        clock=lambda: next(seconds),
        settle=lambda: None,
    )
    counting.attend(places(tables))
    counting.hear(ENTRIES)
    return counting


def places(names: Iterable[str]) -> list[Place]:
    return [Place(name, Path("/run/netns") / name) for name in names]


def packets(buffer: Buffer) -> list[int]:
    """Those of each report that tells of any."""
    return [each.totals[0].packets for each in reports(buffer) if each.totals]


def reports(buffer: Buffer) -> list[UsageReport]:
    return buffer.next_reports(60)


def test_nothing_is_touched_before_a_first_state(buffer: Buffer) -> None:
    table = FakeTable()
    counter(buffer, table).close()
    assert (table.active, table.series) == (None, {})


def test_a_period_lasts_from_one_turn_to_the_next_and_says_what_flowed_between(
    buffer: Buffer,
) -> None:
    table = FakeTable()
    counting = counter(buffer, table)
    counting.hear(ENTRIES)
    began = table.active
    table.flow(3, 300)
    counting.close()
    (report,) = reports(buffer)
    (total,), (prefix,) = report.totals, report.prefixes
    assert (report.begun_s, report.ended_s, report.resets) == (began, table.active, 0)
    assert (total.packets, total.bytes, prefix.packets) == (3, 300, 3)
    assert str(prefix.prefix) == "192.0.2.0/24"


def test_a_period_without_traffic_is_told_too(buffer: Buffer) -> None:
    counting = counter(buffer, FakeTable())
    counting.hear(ENTRIES)
    counting.close()
    (report,) = reports(buffer)
    assert report.totals == ()


def test_what_an_agent_left_in_the_kernel_is_its_successors_to_tell(buffer: Buffer) -> None:
    table = FakeTable()
    counter(buffer, table).hear(ENTRIES)
    began = table.active
    table.flow(5, 500)
    counter(buffer, table).hear(ENTRIES)
    (report,) = reports(buffer)
    assert (report.begun_s, report.totals[0].packets) == (began, 5)


def test_a_table_that_somebody_deleted_is_made_again_and_told_as_a_reset(buffer: Buffer) -> None:
    table = FakeTable()
    counting = counter(buffer, table)
    counting.hear(ENTRIES)
    table.lose()
    assert counting.mend()
    assert not counting.mend()
    assert [report.resets for report in reports(buffer)] == [1]


def test_new_addresses_are_looked_up_at_once_and_another_range_of_marks_is_a_turn(
    buffer: Buffer,
) -> None:
    table, source = FakeTable(), FakeSource()
    counting = counter(buffer, table, source)
    counting.hear(ENTRIES)
    first = table.active
    counting.hear(ENTRIES)
    assert (table.active, table.addresses) == (first, [])
    source.marks = MarkRange(first=1, last=99)
    counting.hear(ENTRIES)
    assert table.active != first


def test_what_flowed_at_all_places_is_one_report(buffer: Buffer) -> None:
    tables = {"1": FakeTable(), "2": FakeTable()}
    counting = at_places(buffer, tables)
    tables["1"].flow(3, 300)
    tables["2"].flow(4, 400)
    counting.close()
    assert packets(buffer) == [7]


def test_a_place_that_comes_is_counted_at_once_and_ends_no_period(buffer: Buffer) -> None:
    tables = {"1": FakeTable()}
    counting = at_places(buffer, tables)
    tables["2"] = FakeTable()
    counting.attend(places(tables))
    assert reports(buffer) == []
    assert tables["2"].flow(4, 400)
    counting.close()
    assert packets(buffer) == [4]


def test_of_a_place_that_goes_all_is_told_and_nothing_is_left(buffer: Buffer) -> None:
    tables = {"1": FakeTable(), "2": FakeTable()}
    counting = at_places(buffer, tables)
    tables["1"].flow(3, 300)
    tables["2"].flow(4, 400)
    counting.attend(places(["1"]))
    counting.leave()
    assert packets(buffer) == [4]
    assert (tables["2"].series, tables["2"].active, tables["2"].closed) == ({}, None, True)
    counting.close()
    assert packets(buffer) == [4, 3]


def test_a_report_of_one_place_does_not_claim_that_others_are_counted(buffer: Buffer) -> None:
    tables = {"1": FakeTable(), "2": FakeTable()}
    counting = at_places(buffer, tables)
    began = tables["1"].active
    counting.attend(places(["1"]))
    counting.leave()
    assert [report.ended_s for report in reports(buffer)] == [began]


def test_what_a_predecessor_left_at_a_place_that_is_found_late_is_told(buffer: Buffer) -> None:
    tables = {"1": FakeTable(), "2": FakeTable()}
    at_places(buffer, tables)
    tables["1"].flow(3, 300)
    tables["2"].flow(4, 400)
    successor = at_places(buffer, {"1": tables["1"]})
    successor._opened = lambda place: tables[place.name]
    successor.attend(places(tables))
    assert packets(buffer) == [3, 4]


def test_a_place_whose_kernel_refuses_hinders_no_other_and_loses_nothing(buffer: Buffer) -> None:
    tables = {"1": FakeTable(), "2": FakeTable()}
    counting = at_places(buffer, tables)
    for refuses in (True, False):
        tables["1"].refuses = refuses
        tables["1"].flow(3, 300)
        tables["2"].flow(4, 400)
        counting.close()
    assert packets(buffer) == [4, 10]


def test_who_has_nothing_to_count_says_so(buffer: Buffer) -> None:
    at_places(buffer, {}).close()
    (report,) = reports(buffer)
    assert (report.totals, report.ended_s) == ((), report.begun_s)


def test_what_an_agent_that_knew_one_place_alone_had_told_is_not_told_again(
    buffer: Buffer,
) -> None:
    table = FakeTable()
    counter(buffer, table).hear(ENTRIES)
    table.flow(3, 300)
    buffer.remember({"read": json.dumps([table.active]).encode()})
    counter(buffer, table).hear(ENTRIES)
    assert reports(buffer) == []


def test_an_earlier_agent_that_comes_back_reads_what_was_told_at_its_one_place(
    buffer: Buffer,
) -> None:
    table = FakeTable()
    counting = counter(buffer, table)
    counting.hear(ENTRIES)
    began = table.active
    counting.close()
    assert json.loads(buffer.known("read") or b"") == [began]


def test_connections_are_told_once_and_not_those_from_before_the_first_period(
    buffer: Buffer,
) -> None:
    table, source = FakeTable(), FakeSource(connections={MARK: 10})
    counting = counter(buffer, table, source)
    counting.hear(ENTRIES)
    source.connections[MARK] = 14
    counting.close()
    source.connections[MARK] = 15
    counter(buffer, table, source).hear(ENTRIES)  # another agent, that starts from the disk
    told = [sum(total.connections for total in each.totals) for each in reports(buffer)]
    assert told == [4, 1]


def test_while_the_disk_takes_nothing_the_kernel_keeps_few_generations(
    buffer: Buffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = FakeTable()
    counting = counter(buffer, table)
    counting.hear(ENTRIES)
    with monkeypatch.context() as patched:
        patched.setattr(buffer, "enter", _full)
        for _ in range(9):
            table.flow(1, 100)
            with pytest.raises(OSError, match="full"):
                counting.close()
    assert len({each.generation for each in table.series}) <= 4
    counting.close()
    counting.close()
    assert sum(each.packets for report in reports(buffer) for each in report.totals) == 9


def _full(period: Period, known: Mapping[str, bytes]) -> None:
    raise OSError("the disk is full")


# Hundreds of commits, each of which waits for the disk where it is one.
_IN_MEMORY = next((str(each) for each in (Path("/dev/shm"),) if os.access(each, os.W_OK)), None)  # noqa: S108  # only for speed

Step: TypeAlias = tuple[str, int]

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("flow"), st.integers(1, 9)),
        st.tuples(st.just("connect"), st.integers(1, 9)),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("pods"), st.integers(0, 3)),
        st.tuples(st.just("crash"), st.integers(0, 8)),
        st.tuples(st.just("deliver"), st.integers(0, 1)),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(_STEPS)
def test_the_ledger_has_what_flowed_whatever_crashes_losses_and_merges_came_between(
    steps: list[Step],
) -> None:
    with TemporaryDirectory(dir=_IN_MEMORY) as directory:
        assert _history(Path(directory) / "usage.db", steps)


def _history(path: Path, steps: list[Step]) -> bool:
    machine = _Machine(path)
    for step, number in (*steps, ("close", 0), ("deliver", 1)):
        getattr(machine, step)(number)
    machine.deliver(1)
    machine.buffer.close()
    return machine.told() == machine.flowed()


class _Machine:
    """It has a table of its own, and pods that come and go; what its agent does not survive, its successor finds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source, self._ledger, self._crashes = FakeSource(), FakeLedger(), Crashes()
        self._tables = {"": FakeTable(crashes=self._crashes)}
        self._seconds = count(1000, 7)
        self._packets = self._connections = 0
        self.start()

    def start(self) -> None:
        self.buffer = Buffer(self._path, Room(periods=3))
        self._counting = Counter(
            self._source,
            self.buffer,
            lambda place: self._tables[place.name],
            lambda: next(self._seconds),
            lambda: None,
        )
        try:
            self._counting.hear(ENTRIES)
            self._counting.attend(places(self._tables))
        except Crash:
            self.buffer.close()
            raise

    def flow(self, packets: int) -> None:
        for table in self._tables.values():
            assert table.flow(packets, 100 * packets)
            self._packets += packets

    def connect(self, connections: int) -> None:
        self._source.connections[MARK] = self._source.connections.get(MARK, 0) + connections
        self._connections += connections

    def close(self, _: int) -> None:
        self._counting.close()

    def pods(self, number: int) -> None:
        names = ("", *"123"[:number])
        for name in names:
            self._tables.setdefault(name, FakeTable(crashes=self._crashes))
        self._counting.attend(places(names))
        self._counting.leave()
        self._tables = {name: self._tables[name] for name in names}

    def crash(self, at: int) -> None:
        """In the midst of a close, and again as it starts."""
        self._crashes.set(at)
        with suppress(Crash):
            self._counting.close()
        self.buffer.close()
        self._crashes.set(at)
        with suppress(Crash):
            self.start()
            self.buffer.close()
        self._crashes.set(None)
        self.start()

    def deliver(self, heard: int) -> None:
        _deliver(self.buffer, self._ledger, heard=bool(heard))

    def flowed(self) -> tuple[int, ...]:
        return self._packets, 100 * self._packets, self._packets, self._connections

    def told(self) -> tuple[int, ...]:
        ledger = self._ledger
        return ledger.packets, ledger.size, ledger.prefix_packets, ledger.connections


def _deliver(buffer: Buffer, ledger: FakeLedger, *, heard: bool) -> None:
    while some := buffer.next_reports(2):
        acknowledged = ledger.usage(UsageReports(reports=tuple(some)))
        if not heard:  # the answer was lost
            return
        buffer.acknowledge(acknowledged)
