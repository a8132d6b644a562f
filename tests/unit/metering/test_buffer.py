"""The buffer on disk: numbered when sent, then never changed; too full, merged and never dropped."""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from lbaas.metering.buffer import Buffer
from lbaas.metering.periods import Period
from lbaas.metering.room import Room
from lbaas.wire.usage import Counted, Point, UsageAcknowledged

VIP = UUID(int=1)


def minute(number: int, packets: int = 1) -> Period:
    total = Counted(point=Point.NODE, vip=VIP, packets=packets)
    return Period(begun_s=60 * number, ended_s=60 * number + 60, totals=(total,))


def test_reports_are_numbered_without_a_gap_and_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    with closing(Buffer(path)) as buffer:
        for number in range(3):
            buffer.enter(minute(number), {})
        first = buffer.next_reports(2)
    with closing(Buffer(path)) as buffer:
        again = buffer.next_reports(60)
    assert again[:2] == first
    assert [report.sequence for report in again] == [1, 2, 3]


def test_what_is_acknowledged_is_forgotten_and_numbers_go_on(tmp_path: Path) -> None:
    with closing(Buffer(tmp_path / "usage.db")) as buffer:
        buffer.enter(minute(0), {})
        buffer.enter(minute(1), {})
        buffer.next_reports(60)
        buffer.acknowledge(UsageAcknowledged(meter=buffer.meter, sequence=1))
        assert [report.sequence for report in buffer.next_reports(60)] == [2]
        buffer.acknowledge(UsageAcknowledged(meter=buffer.meter, sequence=2))
        assert buffer.waiting().periods == 0
        buffer.enter(minute(2), {})
        assert [report.sequence for report in buffer.next_reports(60)] == [3]


def test_another_meters_acknowledgement_is_not_heard(tmp_path: Path) -> None:
    with closing(Buffer(tmp_path / "usage.db")) as buffer:
        buffer.enter(minute(0), {})
        buffer.next_reports(60)
        buffer.acknowledge(UsageAcknowledged(meter=UUID(int=9), sequence=99))
        assert buffer.waiting().periods == 1


def test_when_room_is_short_what_was_not_sent_is_merged_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    with closing(Buffer(tmp_path / "usage.db", Room(periods=4))) as buffer:
        buffer.enter(minute(0), {})
        (sent,) = buffer.next_reports(1)
        for number in range(1, 20):
            buffer.enter(minute(number), {})
        assert buffer.waiting().periods == 4
        reports = buffer.next_reports(60)
    assert reports[0] == sent
    assert [report.sequence for report in reports] == [1, 2, 3, 4]
    assert sum(each.packets for report in reports for each in report.totals) == 20
    assert sum(report.merged or 1 for report in reports) == 20
    assert [report.begun_s for report in reports] == sorted(report.begun_s for report in reports)


def test_a_large_batch_is_sent_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lbaas.metering.buffer._BATCH_BYTES", 1)
    with closing(Buffer(tmp_path / "usage.db")) as buffer:
        buffer.enter(minute(0), {})
        buffer.enter(minute(1), {})
        assert len(buffer.next_reports(60)) == 1


def test_what_was_kept_with_a_period_is_there_with_it(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    with closing(Buffer(path)) as buffer:
        assert buffer.known("read") is None
        buffer.enter(minute(0), {"read": b"[1]"})
    with closing(Buffer(path)) as buffer:
        assert buffer.known("read") == b"[1]"


@pytest.mark.parametrize("damage", [b"", b"no database at all, but long enough to be looked at"])
def test_a_file_that_cant_be_read_is_set_aside_and_a_new_meter_begins(
    tmp_path: Path, damage: bytes
) -> None:
    path = tmp_path / "usage.db"
    with closing(Buffer(path)) as buffer:
        before = buffer.meter
        buffer.enter(minute(0), {})
    whole = path.read_bytes()
    path.write_bytes(damage or whole[:100] + b"\xff" * (len(whole) - 100))
    with closing(Buffer(path)) as buffer:
        assert buffer.lost
        assert buffer.meter != before
        buffer.enter(minute(1), {})
        assert [report.sequence for report in buffer.next_reports(60)] == [1]
    assert path.with_suffix(".unreadable").exists()


def test_a_directory_that_is_not_there_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Buffer(tmp_path / "missing" / "usage.db")
