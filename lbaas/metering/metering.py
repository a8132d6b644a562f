"""Metering beside an agent's loop: it hears the states that the loop reads, and runs in threads of its own."""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from lbaas.agent.fetching import Read
from lbaas.agent.newest import Newest
from lbaas.agent.settings import AgentSettings
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage.apply import remove
from lbaas.errors import LbaasError
from lbaas.metering.buffer import Buffer
from lbaas.metering.counter import Counter
from lbaas.metering.delivery import Delivery
from lbaas.metering.places import HERE, Place
from lbaas.metering.sources import Source
from lbaas.metering.table import Table
from lbaas.wire.entries import Entries
from lbaas.wire.report import Unsent

log = structlog.get_logger()

S = TypeVar("S")

PERIOD_S = 60

# What a pod's VIPs wait for their meter, lest their first packets are not counted.
_MOST_WAIT_S = 1.0


@dataclass(frozen=True)
class MeterSettings:
    """*source* counts, in periods of *period_s* that begin at its multiples; nothing is counted if not *wanted*.

    At *places*, until ``Metering.attend`` says others.
    """

    source: Source
    period_s: int = PERIOD_S
    wanted: bool = True
    places: Collection[Place] = (HERE,)


class Metering:
    """Give the agent ``hearing(read)`` for its ``read``, and ``run`` to run beside it."""

    def __init__(self, meter: MeterSettings, agent: AgentSettings) -> None:
        self._meter = meter
        self._agent = agent
        self._news: Newest[Entries] = Newest()
        self._places = meter.places
        self._attended = threading.Event()
        self._unsent: Unsent | None = None

    def hearing(self, read: Read[S]) -> Read[S]:
        """*read*, whose states the meter hears of."""

        def read_and_tell(entries: Entries, revision: int) -> S:
            state = read(entries, revision)
            self._news.put(entries)
            return state

        return read_and_tell

    def attend(self, places: Collection[Place]) -> None:
        """What is counted is what flows at *places*; already now, unless that takes long."""
        if places == self._places:
            return
        come = set(places).difference(self._places)
        self._attended.clear()
        self._places = places
        if self._meter.wanted:
            self._news.wake()
            self._attended.wait(_MOST_WAIT_S)
        else:
            self._stop_counting(come)

    def unsent(self) -> Unsent | None:
        """What waited for the server when that was last looked at; None where nothing is counted."""
        return self._unsent

    def run(self) -> None:
        """Counts and delivers, and never returns; if nothing is to be counted, nothing is, and it does."""
        if not self._meter.wanted:
            self._stop_counting(self._places)
            return
        buffer = self._buffer()
        delivery = Delivery(buffer, self._agent.client(), spread_s=self._meter.period_s / 4)
        threading.Thread(target=delivery.run, daemon=True).start()
        counter = Counter(self._meter.source, buffer, partial(Table.at, self._meter.source.table))
        self._count_forever(buffer, counter, delivery.wake)

    def _buffer(self) -> Buffer:
        while True:
            try:
                return Buffer(self._agent.state_dir / "usage.db")
            except (sqlite3.Error, OSError) as error:
                log.warning("nothing is counted: no place to keep it", error=str(error))
                time.sleep(self._agent.cycle_s)

    def _count_forever(self, buffer: Buffer, counter: Counter, wake: Callable[[], None]) -> None:
        period = self._period()
        while True:
            news = self._news.take(self._pause_s())
            try:
                self._attend(counter, news)
                if news is not None or counter.mend():
                    wake()
                counter.leave()
                # Another, not a later: clocks are set back, too.
                if self._period() != period:
                    counter.close()
                    period = self._period()
                    wake()
                waiting = buffer.waiting()
                self._unsent = Unsent(periods=waiting.periods, since_s=waiting.since_s)
            except (LbaasError, OSError, sqlite3.Error) as error:
                log.warning("counting failed", error=str(error))
                time.sleep(1)
            except Exception:  # the loop must not die of what nobody foresaw
                log.exception("counting broke off")
                time.sleep(self._agent.cycle_s)

    def _attend(self, counter: Counter, news: Entries | None) -> None:
        places = self._places
        if news is not None:
            counter.hear(news)
        counter.attend(places)
        if places is self._places:
            self._attended.set()

    def _period(self) -> int:
        return int(time.time()) // self._meter.period_s

    def _pause_s(self) -> float:
        rest_s = self._meter.period_s - time.time() % self._meter.period_s
        return min(self._agent.cycle_s, rest_s)

    def _stop_counting(self, places: Iterable[Place]) -> None:
        for place in places:
            try:
                with place.inside(), closing(Nft()) as nft:
                    remove(nft, self._meter.source.table)
            except (LbaasError, OSError) as error:
                log.warning("the meter's table is still there", error=str(error))
