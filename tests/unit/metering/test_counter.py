"""Periods follow each other without a loss, whatever ends the agent and whenever."""

import os
from collections.abc import Iterator, Mapping
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
    return Counter(
        source or FakeSource(), buffer, table, clock=lambda: next(seconds), settle=lambda: None
    )


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
    assert counting.disturbed()
    counting.close()
    assert not counting.disturbed()
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
    table, source, ledger = FakeTable(), FakeSource(), FakeLedger()
    seconds = count(1000, 7)
    packets = connections = 0

    def started() -> tuple[Buffer, Counter]:
        buffer = Buffer(path, Room(periods=3))
        counting = Counter(source, buffer, table, lambda: next(seconds), lambda: None)
        counting.hear(ENTRIES)
        return buffer, counting

    buffer, counting = started()
    for step, number in (*steps, ("close", 0), ("deliver", 1)):
        if step == "flow":
            assert table.flow(number, 100 * number)
            packets += number
        elif step == "connect":
            source.connections[MARK] = source.connections.get(MARK, 0) + number
            connections += number
        elif step == "close":
            counting.close()
        elif step == "crash":
            table.crashes = Crashes(number)
            with suppress(Crash):
                counting.close()
            buffer.close()
            table.crashes = Crashes(number)
            with suppress(Crash):
                started()[0].close()
            table.crashes = Crashes()
            buffer, counting = started()
        else:
            _deliver(buffer, ledger, heard=bool(number))
    _deliver(buffer, ledger, heard=True)
    buffer.close()
    told = ledger.packets, ledger.size, ledger.prefix_packets, ledger.connections
    return told == (packets, 100 * packets, packets, connections)


def _deliver(buffer: Buffer, ledger: FakeLedger, *, heard: bool) -> None:
    while some := buffer.next_reports(2):
        acknowledged = ledger.usage(UsageReports(reports=tuple(some)))
        if not heard:  # the answer was lost
            return
        buffer.acknowledge(acknowledged)
