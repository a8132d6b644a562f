"""One period after the other: the kernel turns to a new generation, the one before is read and kept.

Whatever ends the agent, and whenever: what is not on disk is still in the kernel, and what is on disk is known to be.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import structlog

from lbaas.dataplane.usage.desired import Meter
from lbaas.dataplane.usage.reading import Reading
from lbaas.dataplane.usage.series import Series
from lbaas.metering.buffer import Buffer
from lbaas.metering.connections import Connections
from lbaas.metering.names import NameBook
from lbaas.metering.periods import Sums
from lbaas.metering.sources import Source
from lbaas.wire.entries import Entries

log = structlog.get_logger()

# While the disk takes nothing, the kernel goes on counting in the generation that it is at.
_MOST_UNREAD = 3

# A packet that met the rules before the turn is counted by then.
_SETTLED_S = 0.2


class KernelTable(Protocol):
    """See ``table.Table``."""

    def turn(self, meter: Meter, generation: int) -> None: ...
    def intact(self) -> bool: ...
    def keep_addresses(self, meter: Meter) -> None: ...
    def held(self) -> list[Series]: ...
    def read(self, names: Iterable[Series]) -> Iterator[Reading]: ...
    def forget(self, meter: Meter, names: Iterable[Series]) -> None: ...


class Counter:
    """Counts for *source* in *table*, into *buffer*. It touches nothing before it has heard a state.

    Calls raise LbaasError, OSError or sqlite3.Error; what they could not do, the next ``close`` does.
    """

    def __init__(
        self,
        source: Source,
        buffer: Buffer,
        table: KernelTable,
        clock: Callable[[], float] = time.time,
        settle: Callable[[], None] = lambda: time.sleep(_SETTLED_S),
    ) -> None:
        self._source = source
        self._buffer = buffer
        self._table = table
        self._clock = clock
        self._settle = settle
        self._names = NameBook(source.says, buffer.known("names"))
        self._connections = Connections(source, buffer.known("connections"))
        self._meter: Meter | None = None
        self._active: int | None = None
        self._resets = int(buffer.lost)  # that no period has told yet

    @property
    def counting(self) -> bool:
        """True once the kernel counts."""
        return self._active is not None

    def hear(self, entries: Entries) -> None:
        """What is counted is what the state of *entries* names."""
        self._names.turn_to(entries)
        before, self._meter = self._meter, self._source.meter(entries)
        if before is None or replace(before, addresses={}) != replace(self._meter, addresses={}):
            self.close()
        elif before != self._meter:
            self._table.keep_addresses(self._meter)

    def disturbed(self) -> bool:
        """True if somebody else changed the table."""
        return self.counting and not self._table.intact()

    def close(self) -> None:
        """A period ends, and another has begun; what the ended one counted is on disk."""
        if self._meter is None:
            return
        held = self._table.held()
        began = self._active
        lost = began is not None and began not in {each.generation for each in held}
        self._turn(self._meter, held)
        self._resets += lost
        closed = [each for each in held if each.generation != self._active]
        read = self._read_already()
        unread = [each for each in closed if each.generation not in read]
        if unread or lost:
            begun = min((each.generation for each in unread), default=began or 0)
            self._enter(begun, unread, closed)
        elif self._connections.begin():
            self._buffer.remember(self._known(closed))
            self._connections.saved()
        if closed:
            self._table.forget(self._meter, closed)

    def _turn(self, meter: Meter, held: Iterable[Series]) -> None:
        generations = {each.generation for each in held}
        if len(generations) > _MOST_UNREAD:
            self._active = max(generations)  # whoever made it
            return
        latest = max(generations | self._read_already() | {self._active or 0})
        generation = max(int(self._clock()), latest + 1)
        self._table.turn(meter, generation)
        self._active = generation
        self._settle()

    def _read_already(self) -> frozenset[int]:
        return frozenset(json.loads(self._buffer.known("read") or b"[]"))

    def _enter(self, begun: int, unread: Iterable[Series], closed: Iterable[Series]) -> None:
        sums = Sums()
        for reading in self._table.read(unread):
            sums.enter(reading, self._names.names)
        opened = self._connections.read()
        sums.enter_connections(opened.added, self._names.names)
        if sums.unnamed:
            log.warning("counted for nobody that is known", packets=sums.unnamed)
        period = sums.period(begun, self._active or begun, self._resets + opened.resets)
        self._buffer.enter(period, self._known(closed))
        self._resets = 0
        self._names.saved()
        self._connections.saved()

    def _known(self, read: Iterable[Series]) -> Mapping[str, bytes]:
        """What must be on disk with the period, lest it be counted twice."""
        known = {
            "read": json.dumps(sorted({each.generation for each in read})).encode(),
            "names": self._names.news(),
            "connections": self._connections.news(),
        }
        return {name: value for name, value in known.items() if value is not None}
