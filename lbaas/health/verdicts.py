"""From the results of checks to a verdict: rise, fall, and damping. Pure.

A member falls after *fall* failures in a row and rises after *rise* passes in a row. One that keeps falling is
damped: every fall beyond the second within the window doubles the passes that it needs to come back. Falling
is never delayed, so damping costs capacity and never correctness.
"""

from dataclasses import dataclass, replace

# Two falls in five minutes are bad luck; from the third on it is flapping.
WINDOW_S = 300.0
FORGIVEN_FALLS = 2
LONGEST_DAMPING = 32


@dataclass(frozen=True)
class Result:
    """What one probe found. *cause* says why it failed."""

    passed: bool
    cause: str = ""


PASSED = Result(passed=True)


@dataclass(frozen=True)
class Standing:
    """What is held of a member, and since when (seconds of a monotonic clock).

    *proven*: it has passed a probe, or was in service before it was checked. *against* counts the
    results in a row that speak against what is held. *falls* are the times of the last falls.
    """

    fit: bool
    proven: bool
    since_s: float
    cause: str = ""
    against: int = 0
    falls: tuple[float, ...] = ()


def presumed_fit(now_s: float) -> Standing:
    """A member in service: it stays there until its probes say otherwise, so no restart takes it out."""
    return Standing(fit=True, proven=True, since_s=now_s)


def unproven(now_s: float) -> Standing:
    """A new member: one pass takes it in."""
    return Standing(fit=False, proven=False, since_s=now_s)


def judge(standing: Standing, result: Result, rise: int, fall: int, now_s: float) -> Standing:
    """What is held after *result*; the very same standing where nothing changed."""
    if result.passed == standing.fit:
        return replace(standing, against=0) if standing.against else standing
    against = standing.against + 1
    if standing.fit:
        return _fallen(standing, result, now_s) if against >= fall else _doubted(standing, against)
    if against >= passes_needed(standing, rise, now_s):
        return replace(standing, fit=True, proven=True, since_s=now_s, cause="", against=0)
    return _doubted(standing, against)


def passes_needed(standing: Standing, rise: int, now_s: float) -> int:
    """Passes in a row that bring an unfit member back."""
    if not standing.proven:
        return 1
    recent = sum(now_s - at_s < WINDOW_S for at_s in standing.falls)
    doublings = max(0, recent - FORGIVEN_FALLS)
    return rise * min(1 << doublings, LONGEST_DAMPING)


def explained(standing: Standing, result: Result) -> Standing:
    """An unfit member without a cause has one: a new member that failed its first probe."""
    if standing.fit or standing.cause or result.passed:
        return standing
    return replace(standing, cause=result.cause)


def _doubted(standing: Standing, against: int) -> Standing:
    return replace(standing, against=against)


def _fallen(standing: Standing, result: Result, now_s: float) -> Standing:
    recent = tuple(at_s for at_s in standing.falls if now_s - at_s < WINDOW_S)
    return Standing(
        fit=False, proven=True, since_s=now_s, cause=result.cause, falls=(*recent, now_s)
    )
