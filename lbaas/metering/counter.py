"""One period after the other: the kernel turns to a new generation, the one before is read and kept.

Whatever ends the agent, and whenever: what is not on disk is still in the kernel, and what is on disk is known to be.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog

from lbaas.dataplane.usage.desired import Meter
from lbaas.dataplane.usage.reading import Reading
from lbaas.errors import LbaasError
from lbaas.metering.buffer import Buffer
from lbaas.metering.connections import Connections
from lbaas.metering.generations import Generations, KernelTable
from lbaas.metering.names import NameBook
from lbaas.metering.periods import Period, Sums
from lbaas.metering.places import HERE, Place
from lbaas.metering.sources import Source
from lbaas.wire.entries import Entries

log = structlog.get_logger()

# A packet that met the rules before the turn is counted by then.
_SETTLED_S = 0.2

# By place, generations that are on disk. A place that is not seen again within a day has ended.
_Told = Mapping[str, Collection[int]]
_DAY_S = 86400


@dataclass(frozen=True)
class _Ended:
    """What generations of a table counted that nobody was told of. *begun* is when the first of them began."""

    generations: Generations
    readings: list[Reading]
    begun: int | None

    @property
    def still(self) -> Collection[int]:
        """All that stand still there are told, by now."""
        return {series.generation for series in self.generations.still}


class Counter:
    """Counts for *source*, into *buffer*, in the tables that *opened* gives. It touches nothing before it has heard a
    state and been told of a place.

    What fails at one place is logged, and hinders no other. Calls raise OSError or sqlite3.Error where the disk does
    not take a period. What they could not do, the next does.
    """

    def __init__(
        self,
        source: Source,
        buffer: Buffer,
        opened: Callable[[Place], KernelTable],
        clock: Callable[[], float] = time.time,
        settle: Callable[[], None] = lambda: time.sleep(_SETTLED_S),
    ) -> None:
        self._source = source
        self._buffer = buffer
        self._opened = opened
        self._clock = clock
        self._settle = settle
        self._names = NameBook(source.says, buffer.known("names"))
        self._connections = Connections(source, buffer.known("connections"))
        self._told: _Told = _loaded(buffer.known("read"))
        self._meter: Meter | None = None
        self._places: Collection[Place] = ()
        self._at: dict[str, Generations] = {}
        self._resets = int(buffer.lost)  # that no period has told yet

    def hear(self, entries: Entries) -> None:
        """What is counted is what the state of *entries* names."""
        self._names.turn_to(entries)
        before, self._meter = self._meter, self._source.meter(entries)
        if before is not None and replace(before, addresses={}) != replace(
            self._meter, addresses={}
        ):
            self.close()
        self.attend(self._places)

    def attend(self, places: Collection[Place]) -> None:
        """What flows at *places*, whose names differ, is counted; at others it still is until ``leave``."""
        self._places = places
        if self._meter is None:
            return
        for place in places:
            with _alone(place):
                self._look_after(place, self._meter)
        self._close([each for each in self._at.values() if each.active is None])

    def leave(self) -> None:
        """What was counted at places that are not attended any more is on disk, and nothing of ours is left there."""
        names = {place.name for place in self._places}
        left = [each for name, each in self._at.items() if name not in names]
        self._close(left)
        for each in left:
            with _alone(each.place):
                each.end()
            each.close()
            del self._at[each.place.name]

    def mend(self) -> bool:
        """Where somebody else changed a table, a period ended and another has begun; False if nobody did."""
        touched = [each for each in self._at.values() if not _intact(each)]
        self._close(touched)
        return bool(touched)

    def close(self) -> None:
        """A period ends, and another has begun; what the ended one counted is on disk."""
        self._close(self._at.values())
        if self._meter is not None and not self._at:
            # Who has nothing to count says so: from an agent that says nothing, counts are missing.
            now_s = int(self._clock())
            self._buffer.enter(Period(begun_s=now_s, ended_s=now_s), {})

    def _look_after(self, place: Place, meter: Meter) -> None:
        if known := self._at.get(place.name):
            known.keep_addresses(meter, place)
        else:
            self._at[place.name] = Generations(place, self._opened(place))

    def _close(self, places: Iterable[Generations]) -> None:
        if self._meter is None:
            return
        turned = list(self._turned(places, self._meter))
        if not turned:
            return
        if any(each.still for each in turned):
            self._settle()
        ended = list(self._read(turned))
        begun = [each.begun for each in ended if each.begun is not None]
        if begun:
            self._enter(min(begun), ended)
        elif self._connections.begin():
            self._buffer.remember(self._known(self._told))
            self._connections.saved()
        for each in ended:
            with _alone(each.generations.place):
                each.generations.forget(self._meter)

    def _turned(self, places: Iterable[Generations], meter: Meter) -> Iterator[Generations]:
        now_s = int(self._clock())
        for each in places:
            with _alone(each.place):
                each.turn(meter, self._told.get(each.place.name, ()), now_s)
                self._resets += each.lost is not None
                yield each

    def _read(self, turned: Iterable[Generations]) -> Iterator[_Ended]:
        for each in turned:
            told = self._told.get(each.place.name, ())
            unread = [series for series in each.still if series.generation not in told]
            begun = [series.generation for series in unread]
            with _alone(each.place):
                yield _Ended(each, each.read(unread), min(begun, default=each.lost))

    def _enter(self, begun: int, ended: Iterable[_Ended]) -> None:
        sums = Sums()
        for each in ended:
            for reading in each.readings:
                sums.enter(reading, self._names.names)
        opened = self._connections.read()
        sums.enter_connections(opened.added, self._names.names)
        if sums.unnamed:
            log.warning("counted for nobody that is known", packets=sums.unnamed)
        period = sums.period(begun, self._counted_until(), self._resets + opened.resets)
        told = {place: each for place, each in self._told.items() if max(each) > begun - _DAY_S}
        told |= {each.generations.place.name: each.still for each in ended if each.still}
        self._buffer.enter(period, self._known(told))
        self._told = told
        self._resets = 0
        self._names.saved()
        self._connections.saved()

    def _counted_until(self) -> int:
        """All that flowed before is told: elsewhere a period may still be under way."""
        return min(each.active for each in self._at.values() if each.active is not None)

    def _known(self, told: _Told) -> Mapping[str, bytes]:
        """What must be on disk with the period, lest it be counted twice."""
        known = {
            "read": _saved(told),
            "names": self._names.news(),
            "connections": self._connections.news(),
        }
        return {name: value for name, value in known.items() if value is not None}


def _saved(told: _Told) -> bytes:
    """Where there is one place alone, a list: earlier agents read nothing else, and may come back."""
    kept = {place: sorted(each) for place, each in told.items()}
    return json.dumps(kept if kept.keys() - {HERE.name} else kept.get(HERE.name, [])).encode()


def _loaded(saved: bytes | None) -> _Told:
    found = json.loads(saved or b"{}")
    told = {HERE.name: found} if isinstance(found, list) else found
    return {place: each for place, each in told.items() if each}


def _intact(generations: Generations) -> bool:
    """What can't be looked at is left alone until the period is over."""
    with _alone(generations.place):
        return generations.intact()
    return True


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """What fails there is told, and hinders nobody else."""
    try:
        yield
    except (LbaasError, OSError) as error:
        log.warning("counting failed", namespace=place.name or "own", error=str(error))
