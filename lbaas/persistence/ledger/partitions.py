"""The ledger's partitions: made ahead, so that no count waits for one, and dropped whole when they are old.

A partition's name says where it begins: ``usage_minute_2026112306`` holds the minutes of one hour of UTC.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.usage import DAY, HOUR, Granularity, Retention

PARTITIONS_LOCK = 0x1BAA9  # any constant, the same in all replicas
# Whoever enters a count of the oldest time that is kept may have looked at the clock a while ago.
GRACE = HOUR

# Attached rather than made in place: that would lock every reader of the table out.
_MAKE = (
    "CREATE TABLE IF NOT EXISTS {name} (LIKE {table} INCLUDING DEFAULTS) WITH (fillfactor = 70)",
    "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')",
)
# To drop one locks its table: who waits for that behind a long query holds up all who come after. Rather next time.
_SOON = text("SET LOCAL lock_timeout = '200ms'")
_KNOWN = text(
    """
    SELECT part.relname FROM pg_inherits
    JOIN pg_class AS part ON part.oid = pg_inherits.inhrelid
    JOIN pg_class AS whole ON whole.oid = pg_inherits.inhparent
    WHERE whole.oid = CAST(:table AS regclass)
    """
)


@dataclass(frozen=True)
class Series:
    """A table and the steps in which it is partitioned. Each is ``pattern`` long in its name."""

    table: str
    step: Granularity
    pattern: str

    def begin(self, at: datetime) -> datetime:
        """Where the partition that holds *at* begins."""
        return self.step.begin(at)

    def name(self, begin: datetime) -> str:
        """The partition's, which begins at *begin*."""
        return f"{self.table}_{begin.astimezone(UTC):{self.pattern}}"

    def ends(self, name: str) -> datetime:
        """Where the partition *name* ends."""
        digits = name.removeprefix(f"{self.table}_")
        return self.step.next(datetime.strptime(digits, self.pattern).replace(tzinfo=UTC))


MINUTES = Series("usage_minute", Granularity.HOUR, "%Y%m%d%H")
HOURS = Series("usage_hour", Granularity.MONTH, "%Y%m")
PREFIXES = Series("usage_prefix", Granularity.DAY, "%Y%m%d")


def kept(retention: Retention) -> Iterator[tuple[Series, timedelta]]:
    """Each series, and for how long it is kept."""
    yield MINUTES, retention.minutes
    yield HOURS, retention.hours
    yield PREFIXES, retention.prefixes


class Partitions:
    """The partitions that this process knows to be there; what it does not know it makes sure of."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._known: set[str] = set()

    async def ensure(self, session: AsyncSession, times: Iterable[datetime], now: datetime) -> None:
        """There is a partition for each of *times*, wherever it is still kept; what was made is committed."""
        wanted = {
            (series, series.begin(at))
            for at in set(times)
            for series, age in kept(self._retention)
            if at >= now - age
        }
        missing = [each for each in wanted if each[0].name(each[1]) not in self._known]
        if missing:
            await session.execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITIONS_LOCK}
            )
            for series, begin in missing:
                await _make(session, series, begin)
            await session.commit()
            self._known |= {series.name(begin) for series, begin in missing}

    async def tend(self, session: AsyncSession) -> int:
        """The next partitions are there, and so many old ones are not any more."""
        now = await clock(session)
        ahead = (now, now + HOUR, now + DAY, now + 32 * DAY)
        await self.ensure(session, ahead, now)
        old = [
            name
            for series, age in kept(self._retention)
            for name in await _partitions(session, series)
            if series.ends(name) <= now - age - GRACE
        ]
        if old:
            await session.execute(_SOON)
            await session.execute(text(f"DROP TABLE IF EXISTS {', '.join(old)}"))
            self._known.difference_update(old)
        return len(old)


async def clock(session: AsyncSession) -> datetime:
    """Postgres's time: all replicas have the same."""
    now: datetime = (await session.execute(text("SELECT now()"))).scalar_one()
    return now


async def _make(session: AsyncSession, series: Series, begin: datetime) -> None:
    """Another replica may have made it, whole: both steps are one transaction, under a lock."""
    name = series.name(begin)
    if name in await _partitions(session, series):
        return
    end = series.step.next(begin)
    for statement in _MAKE:
        values = {"name": name, "table": series.table, "begin": begin, "end": end}
        await session.execute(text(statement.format(**values)))


async def _partitions(session: AsyncSession, series: Series) -> list[str]:
    return list(await session.scalars(_KNOWN, {"table": series.table}))
