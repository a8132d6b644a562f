"""Metering beside an agent's loop: it hears the states that the loop reads, and runs in threads of its own."""

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from lbaas.metering.sources import Source
from lbaas.metering.table import Table
from lbaas.wire.entries import Entries
from lbaas.wire.report import Unsent

log = structlog.get_logger()

S = TypeVar("S")

PERIOD_S = 60


@dataclass(frozen=True)
class MeterSettings:
    """*source* counts, in periods of *period_s* that begin at its multiples; nothing is counted if not *wanted*."""

    source: Source
    period_s: int = PERIOD_S
    wanted: bool = True


class Metering:
    """Give the agent ``hearing(read)`` for its ``read``, and ``run`` to run beside it."""

    def __init__(self, meter: MeterSettings, agent: AgentSettings) -> None:
        self._meter = meter
        self._agent = agent
        self._news: Newest[Entries] = Newest()
        self._unsent: Unsent | None = None

    def hearing(self, read: Read[S]) -> Read[S]:
        """*read*, whose states the meter hears of."""

        def read_and_tell(entries: Entries, revision: int) -> S:
            state = read(entries, revision)
            self._news.put(entries)
            return state

        return read_and_tell

    def unsent(self) -> Unsent | None:
        """What waited for the server when that was last looked at; None where nothing is counted."""
        return self._unsent

    def run(self) -> None:
        """Counts and delivers, and never returns; if nothing is to be counted, nothing is, and it does."""
        if not self._meter.wanted:
            _stop_counting(self._meter.source.table)
            return
        buffer = self._buffer()
        delivery = Delivery(buffer, self._agent.client(), spread_s=self._meter.period_s / 4)
        threading.Thread(target=delivery.run, daemon=True).start()
        counter = Counter(self._meter.source, buffer, Table(self._meter.source.table))
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
                if news is not None:
                    counter.hear(news)
                    wake()
                # Another, not a later: clocks are set back, too.
                if self._period() != period or counter.disturbed():
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

    def _period(self) -> int:
        return int(time.time()) // self._meter.period_s

    def _pause_s(self) -> float:
        rest_s = self._meter.period_s - time.time() % self._meter.period_s
        return min(self._agent.cycle_s, rest_s)


def _stop_counting(table: str) -> None:
    try:
        remove(Nft(), table)
    except LbaasError as error:
        log.warning("the meter's table is still there", error=str(error))
