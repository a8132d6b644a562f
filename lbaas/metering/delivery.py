"""What the buffer holds goes to the server, the oldest first, until it is acknowledged."""

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from lbaas.agent.pauses import Pauses
from lbaas.errors import Decommissioned, ServerUnavailable
from lbaas.metering.buffer import Buffer
from lbaas.wire.usage import UsageAcknowledged, UsageReports

log = structlog.get_logger()

_REPORTS_AT_ONCE = 60

# How long an agent whose server is away, or asks to be left alone, waits at most before it tries again.
_LONGEST_PAUSE_S = 60.0
_DECOMMISSIONED_PAUSE_S = 600.0


class Ledger(Protocol):
    """The server's side. Raises ServerUnavailable."""

    def usage(self, reports: UsageReports) -> UsageAcknowledged: ...


class Delivery:
    """Sends *buffer* to *ledger*. Agents close their periods together, so each waits up to *spread_s* first."""

    def __init__(
        self,
        buffer: Buffer,
        ledger: Ledger,
        spread_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._buffer = buffer
        self._ledger = ledger
        self._spread_s = spread_s
        self._sleep = sleep
        self._pauses = Pauses(_LONGEST_PAUSE_S)
        self._news = threading.Event()

    def wake(self) -> None:
        """There is something to send. May be called from any thread."""
        self._news.set()

    def run(self) -> None:
        """Never returns."""
        while True:
            self.send_all()
            self._news.wait()
            self._news.clear()
            self._sleep(self._spread_s * random.random())  # noqa: S311  # spreading, not secrecy

    def send_all(self) -> None:
        """The server has all that waited, however long that took."""
        while self._buffer.waiting().periods:
            pause_s = self._send_some()
            if pause_s:
                self._sleep(pause_s)

    def _send_some(self) -> float:
        """The seconds to wait before more."""
        try:
            reports = tuple(self._buffer.next_reports(_REPORTS_AT_ONCE))
            acknowledged = self._ledger.usage(UsageReports(reports=reports))
            self._buffer.acknowledge(acknowledged)
        except Decommissioned as error:
            log.warning(
                "usage not taken: this agent is not the server's any more", error=str(error)
            )
            return _DECOMMISSIONED_PAUSE_S
        except ServerUnavailable as error:
            return max(self._pause_s(str(error)), error.retry_after_s)
        except Exception:  # what waits is worth more than knowing why
            log.exception("delivery broke off")
            return _LONGEST_PAUSE_S
        if acknowledged.sequence < reports[0].sequence:
            return self._pause_s(f"acknowledged up to {acknowledged.sequence} only")
        self._pauses.reset()
        return 0.0

    def _pause_s(self, cause: str) -> float:
        waiting = self._buffer.waiting()
        log.warning(
            "usage not taken", cause=cause, periods=waiting.periods, since_s=waiting.since_s
        )
        return self._pauses.next(random.random())  # noqa: S311  # spreading, not secrecy
