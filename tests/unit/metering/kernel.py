"""A kernel that counts, without a kernel; and a ledger that enters each report once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from lbaas.dataplane.usage.desired import USUAL_BITS, Meter, node_meter
from lbaas.dataplane.usage.reading import Reading
from lbaas.dataplane.usage.series import Series
from lbaas.errors import StepFailed
from lbaas.metering.periods import Named
from lbaas.wire.entries import Entries
from lbaas.wire.state import MarkRange
from lbaas.wire.usage import Point, UsageAcknowledged, UsageReports

VIP, LISTENER = UUID(int=1), UUID(int=2)
MARK, CLIENT = b"\x07\0\0\x10", bytes([192, 0, 2, 0])
ENTRIES = Entries.of({"vip/1": b"{}"})


_MARKS = MarkRange(first=1, last=9)


class Crash(BaseException):
    """The agent ended here."""


@dataclass
class Crashes:
    """Ends the agent at the *at*-th of the places that it passes; never if that is None."""

    at: int | None = None
    passed: Iterator[int] = field(default_factory=count)

    def set(self, at: int | None) -> None:
        """It ends at the *at*-th from now on."""
        self.at, self.passed = at, count()

    def here(self) -> None:
        if next(self.passed) == self.at:
            raise Crash


@dataclass
class FakeTable:
    """What of the kernel a ``Counter`` sees. It outlives the agent."""

    series: dict[Series, dict[tuple[bytes, bytes], tuple[int, int]]] = field(default_factory=dict)
    active: int | None = None
    crashes: Crashes = field(default_factory=Crashes)
    addresses: list[Mapping[str, object]] = field(default_factory=list)
    touched: bool = False
    closed: bool = False
    refuses: bool = False

    def flow(self, packets: int, size: int, client: bytes = CLIENT, subject: bytes = MARK) -> bool:
        """Packets came; False if nobody counted them."""
        if self.active is None:
            return False
        bits = 24 if client else None
        counts = self.series.setdefault(Series(Point.NODE, 4, "single", bits, self.active), {})
        before = counts.get((subject, client), (0, 0))
        counts[subject, client] = (before[0] + packets, before[1] + size)
        return True

    def turn(self, meter: Meter, generation: int) -> None:
        self.crashes.here()
        if self.refuses:
            raise StepFailed("usage", "turn", "*", "no memory")
        assert meter.tallies
        assert all(each.generation < generation for each in self.series)
        self.active = generation
        self.touched = False
        self.series[Series(Point.NODE, 4, "single", 24, generation)] = {}
        self.crashes.here()

    def intact(self) -> bool:
        return not self.touched

    def keep_addresses(self, meter: Meter) -> None:
        self.addresses.append(meter.addresses)

    def held(self) -> list[Series]:
        return sorted(self.series, key=lambda each: each.generation)

    def read(self, names: Iterable[Series]) -> Iterator[Reading]:
        self.crashes.here()
        for name in names:
            assert name.generation != self.active, "it still counts"
            for (subject, client), (packets, size) in self.series[name].items():
                yield Reading(name.point, subject, client, name.bits or 0, packets, size)

    def forget(self, meter: Meter, names: Iterable[Series]) -> None:
        self.crashes.here()
        assert meter.tallies
        for name in names:
            del self.series[name]
        self.crashes.here()

    def close(self) -> None:
        self.closed = True

    def remove(self) -> None:
        self.crashes.here()
        self.series, self.active = {}, None

    def lose(self) -> None:
        """Somebody deleted the table."""
        self.series, self.active, self.touched = {}, None, True


@dataclass
class FakeSource:
    """A node whose one listener is known under MARK."""

    table: str = "fake"
    connections: dict[bytes, int] = field(default_factory=dict)
    marks: MarkRange = _MARKS

    def meter(self, entries: Entries) -> Meter:
        assert entries.values
        return node_meter(self.marks, USUAL_BITS)

    def says(self, key: str, value: bytes) -> Iterator[tuple[bytes, Named]]:
        if key.startswith("vip/") and value:
            yield MARK, Named(VIP, LISTENER)

    def opened(self) -> Mapping[bytes, int] | None:
        return dict(self.connections)


@dataclass
class FakeLedger:
    """Enters each number of a meter once, and demands that none is left out. *fails* answers are lost on the way."""

    entered: dict[UUID, int] = field(default_factory=dict)
    packets: int = 0
    size: int = 0
    connections: int = 0
    prefix_packets: int = 0
    told: dict[tuple[UUID, int], bytes] = field(default_factory=dict)

    def usage(self, reports: UsageReports) -> UsageAcknowledged:
        for report in reports.reports:
            key, body = (report.meter, report.sequence), report.model_dump_json().encode()
            assert self.told.setdefault(key, body) == body, "a number changed its meaning"
            last = self.entered.get(report.meter, 0)
            if report.sequence <= last:
                continue
            assert report.sequence == last + 1, "a number was left out"
            self.entered[report.meter] = report.sequence
            self.packets += sum(each.packets for each in report.totals)
            self.size += sum(each.bytes for each in report.totals)
            self.connections += sum(each.connections for each in report.totals)
            self.prefix_packets += sum(each.packets for each in report.prefixes)
        newest = reports.reports[-1]
        return UsageAcknowledged(meter=newest.meter, sequence=self.entered[newest.meter])
