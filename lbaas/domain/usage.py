"""The ledger's words: what usage is counted by, in which steps of time, and how long it is kept."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Direction(StrEnum):
    """Which way packets went."""

    INGRESS = "ingress"  # from clients, counted at the nodes
    EGRESS = "egress"  # to clients, counted at the backend hosts that they left


class Granularity(StrEnum):
    """The steps in which usage is shown, of UTC."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    def next(self, begin: datetime) -> datetime:
        """Where the step after the one that begins at *begin* begins."""
        if self is Granularity.MONTH:
            return (begin + 31 * DAY).replace(day=1)
        return begin + {"minute": MINUTE, "hour": HOUR, "day": DAY}[self]


class Dimension(StrEnum):
    """What usage is told apart by."""

    TENANT = "tenant"
    VIP = "vip"
    LISTENER = "listener"
    DIRECTION = "direction"
    PREFIX = "prefix"


@dataclass(frozen=True)
class Retention:
    """For how long the ledger keeps a count, by minute, by hour, and by hour and clients' prefix."""

    minutes: timedelta = 26 * HOUR
    hours: timedelta = 400 * DAY
    prefixes: timedelta = 100 * DAY


def floor(at: datetime, step: timedelta) -> datetime:
    """*at*, or the last whole *step* of UTC before it."""
    return at - (at - datetime(1970, 1, 1, tzinfo=UTC)) % step


def ceiling(at: datetime, step: timedelta) -> datetime:
    """*at*, or the next whole *step* of UTC."""
    begin = floor(at, step)
    return begin if begin == at else begin + step
