"""A VIP's usage as bars: what came, what went, how many connections were opened. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Json = Mapping[str, Any]

GAP = 0.2  # of a bar's place
KILO = 1000
PREFIXES = ("", "k", "M", "G", "T", "P")


@dataclass(frozen=True)
class Period:
    """So many *steps* of usage, each of the API's *granularity*."""

    name: str
    granularity: str
    step: timedelta
    steps: int
    title: str

    def begins(self, now: datetime) -> datetime:
        """The first step; the last is the one that *now* is in."""
        since_midnight = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
        return now - since_midnight % self.step - self.step * (self.steps - 1)


PERIODS = {
    period.name: period
    for period in (
        Period("day", "hour", timedelta(hours=1), 24, "24 hours"),
        Period("month", "day", timedelta(days=1), 30, "30 days"),
    )
}


@dataclass(frozen=True)
class Bar:
    """One step: places in percent of the plot, and what it says to who points at it."""

    x: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One quantity over a period; *note* says what it is at most."""

    title: str
    total: str
    note: str
    bars: Sequence[Bar]


def plots(usages: Sequence[Json], period: Period, now: datetime) -> list[Plot]:
    """Bytes from clients, bytes to clients, connections. A step of which nothing is told has none."""
    ingress, egress = (
        [each for each in usages if each["direction"] == direction]
        for direction in ("ingress", "egress")
    )
    begin, seconds = period.begins(now), period.step.total_seconds()

    def rate(amount: float) -> str:
        return f"at most {scaled(8 * amount / seconds)}bit/s"

    def often(amount: float) -> str:
        return f"at most {scaled(amount / seconds)}a second"

    def plot(title: str, field: str, of: Sequence[Json], unit: str, note: Text) -> Plot:
        amounts = _by_step(of, field, begin, period)
        bars = _bars(amounts, begin, period, unit)
        return Plot(title, _said(sum(amounts), unit), note(max(amounts)), bars)

    return [
        plot("From clients", "bytes", ingress, "B", rate),
        plot("To clients", "bytes", egress, "B", rate),
        plot("Connections", "connections", ingress, "", often),
    ]


Text = Callable[[float], str]


def scaled(amount: float) -> str:
    """``1.5 M``, with a space behind it in any case."""
    power = 0
    while amount >= KILO and power + 1 < len(PREFIXES):
        amount, power = amount / KILO, power + 1
    digits = f"{amount:.3g}" if amount < KILO else f"{amount:.0f}"
    return f"{digits} {PREFIXES[power]}"


def _by_step(usages: Iterable[Json], field: str, begin: datetime, period: Period) -> list[int]:
    amounts = [0] * period.steps
    for usage in usages:
        step = (datetime.fromisoformat(usage["begun_at"]) - begin) // period.step
        if 0 <= step < period.steps:
            amounts[step] += usage[field] or 0
    return amounts


def _bars(amounts: Sequence[int], begin: datetime, period: Period, unit: str) -> list[Bar]:
    place, most = 100 / period.steps, max(amounts)
    clock = "%d %b %H:%M" if period.granularity == "hour" else "%d %b"
    return [
        Bar(
            round(place * (step + GAP / 2), 2),
            round(place * (1 - GAP), 2),
            round(100 * amount / most, 2),
            f"{begin + period.step * step:{clock}}: {_said(amount, unit)}",
        )
        for step, amount in enumerate(amounts)
        if amount
    ]


def _said(amount: float, unit: str) -> str:
    return f"{scaled(amount)}{unit}".strip()
