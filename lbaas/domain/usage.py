"""The ledger's words: what usage is counted by, in which steps of time, and how long it is kept."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from lbaas.domain.addresses import Prefix

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

    def begin(self, at: datetime) -> datetime:
        """Where the step that holds *at* begins."""
        if self is Granularity.MONTH:
            return floor(at, DAY).replace(day=1)
        return floor(at, _LENGTHS[self])

    def next(self, begin: datetime, steps: int = 1) -> datetime:
        """Where the step begins that comes so many *steps* after the one that begins at *begin*."""
        if self is Granularity.MONTH:
            years, month = divmod(begin.month - 1 + steps, 12)
            return begin.replace(year=begin.year + years, month=month + 1)
        return begin + steps * _LENGTHS[self]

    @property
    def resolution(self) -> timedelta:
        """What a period in these steps is rounded to: counts are kept by the minute and by the hour."""
        return MINUTE if self is Granularity.MINUTE else HOUR


_LENGTHS = {Granularity.MINUTE: MINUTE, Granularity.HOUR: HOUR, Granularity.DAY: DAY}


class Dimension(StrEnum):
    """What usage is told apart by."""

    TENANT = "tenant"
    VIP = "vip"
    LISTENER = "listener"
    DIRECTION = "direction"
    PREFIX = "prefix"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which usage, from *begin* to before *end*, and how it is told apart; None asks for nothing."""

    begin: datetime
    end: datetime
    granularity: Granularity = Granularity.HOUR
    by: frozenset[Dimension] = frozenset()
    tenant_id: UUID | None = None
    vip_id: UUID | None = None
    listener_id: UUID | None = None
    direction: Direction | None = None
    prefix: Prefix | None = None

    @property
    def of_prefixes(self) -> bool:
        """Only counts by prefix can tell."""
        return self.prefix is not None or Dimension.PREFIX in self.by

    @property
    def of_listeners(self) -> bool:
        """Only counts by listener can tell."""
        return self.listener_id is not None or Dimension.LISTENER in self.by


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
