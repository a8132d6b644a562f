"""How many connections were opened since the last period: the kernel only says how many there ever were."""

import json
from collections.abc import Mapping

import structlog

from lbaas.errors import LbaasError
from lbaas.metering.increments import Increments, increments
from lbaas.metering.sources import Source, kernel

log = structlog.get_logger()


class Connections:
    """Reads *source*, and remembers what it showed at the end of the last period that was kept."""

    def __init__(self, source: Source, saved: bytes | None) -> None:
        self._source = source
        self._kernel = kernel()
        self._last: Mapping[bytes, int] | None = _loaded(saved, self._kernel) if saved else None
        self._now: Mapping[bytes, int] | None = None

    def begin(self) -> bool:
        """Where nothing is remembered, what the kernel shows now is what the first period begins with: news."""
        if self._last is not None:
            return False
        self._now = self._opened()
        return self._now is not None

    def read(self) -> Increments[bytes]:
        """What was opened, by mark, since the last period that was ``saved``."""
        self._now = self._opened()
        return Increments() if self._now is None else increments(self._last, self._now)

    def news(self) -> bytes | None:
        """What to save with the period, None if nothing was read."""
        if self._now is None:
            return None
        opened = {mark.hex(): count for mark, count in self._now.items()}
        return json.dumps({"kernel": self._kernel, "opened": opened}).encode()

    def saved(self) -> None:
        """The news are on disk, with the period."""
        if self._now is not None:
            self._last = self._now

    def _opened(self) -> Mapping[bytes, int] | None:
        try:
            return self._source.opened()
        except (LbaasError, OSError) as error:
            log.warning("connections not counted", error=str(error))
            return None


def _loaded(saved: bytes, kernel_now: str) -> dict[bytes, int]:
    """Another kernel than then began at zero."""
    found = json.loads(saved)
    if found["kernel"] != kernel_now:
        return {}
    return {bytes.fromhex(mark): count for mark, count in found["opened"].items()}
