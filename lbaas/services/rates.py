"""How often a bearer may ask.

Counted in this process's memory, so N replicas together allow up to N times the limit. That is the price of a
limit that costs microseconds: it protects the server from one client, and is no quota that is billed by.
"""

import math
import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from lbaas.errors import RateLimited


class Rates:
    """Counts by bearer. *limit* is like ``500/second``; None allows everything."""

    def __init__(self, limit: str | None) -> None:
        self._limit = None if limit is None else parse(limit)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, bearer: str) -> None:
        """One request more. Raises RateLimited, which is not counted."""
        if self._limit is None or self._limiter.hit(self._limit, bearer):
            return
        reset = self._limiter.get_window_stats(self._limit, bearer).reset_time
        wait_s = max(1, math.ceil(reset - time.time()))
        raise RateLimited(
            f"more than {self._limit} with one token: wait {wait_s} s", retry_after_s=wait_s
        )
