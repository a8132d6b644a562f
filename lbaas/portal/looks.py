"""Values as people read them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lbaas.portal import tuning
from lbaas.services.reports import STALE_AFTER

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def ago(moment: str | None, now: datetime) -> str:
    """``12 s ago``."""
    if moment is None:
        return "never"
    passed = max(0, int((now - _parsed(moment)).total_seconds()))
    for seconds, unit in _STEPS:
        if passed >= seconds:
            return f"{passed // seconds} {unit} ago"
    return "now"


def clock(moment: str) -> str:
    """``2026-11-23 04:05:06`` in UTC."""
    return _parsed(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def silent(moment: str | None, now: datetime) -> bool:
    """True if an agent that reported at *moment* should have done so again."""
    return moment is None or now - _parsed(moment) > STALE_AFTER


def ports(listener: Mapping[str, Any]) -> str:
    """The ports that the listener takes, ranges as such."""
    if listener.get("all_ports"):
        return "all ports"
    return ", ".join(_span(span["first"], span["last"]) for span in listener["ports"])


def labels(given: Mapping[str, str]) -> str:
    """``env=prod, canary`` as the API's selectors and our forms have it."""
    return ", ".join(f"{key}={value}" if value else key for key, value in given.items())


def options(objects: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What a person chooses from: ids with names."""
    return [(one["id"], one["name"]) for one in objects]


def share(part: float, whole: float | None) -> int:
    """Percent, 100 at most; 0 of nothing."""
    return min(100, round(100 * part / whole)) if whole else 0


def said(value: object) -> str:
    """A field's value in an event."""
    if value is None:
        return "—"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {said(inner)}" for key, inner in value.items()) or "—"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(said(inner) for inner in value) or "—"
    return str(value)


def lasting(seconds: float) -> str:
    """``1 h 30 min``."""
    left, parts = timedelta(seconds=seconds).total_seconds(), []
    for size, unit in _STEPS:
        if left >= size:
            parts.append(f"{int(left // size)} {unit}")
            left %= size
    return " ".join(parts) or "0 s"


def _parsed(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"  # noqa: RUF001 - a range takes an en dash


SCHEDULERS = (
    ("mh", "mh: consistent, survives the loss of a node"),
    ("sh", "sh: by source address"),
    ("wrr", "wrr: in turn, by weight"),
    ("rr", "rr: in turn"),
    ("wlc", "wlc: fewest flows, by weight"),
    ("lc", "lc: fewest flows"),
)

FILTERS: Mapping[str, Callable[..., object]] = {
    "ago": ago,
    "clock": clock,
    "ports": ports,
    "labels": labels,
    "said": said,
    "lasting": lasting,
    "options": options,
}
GLOBALS: Mapping[str, object] = {
    "share": share,
    "silent": silent,
    "schedulers": SCHEDULERS,
    "tuning_fields": tuning.FIELDS,
}
