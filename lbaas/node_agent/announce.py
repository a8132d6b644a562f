"""The last step of establishing and the first of withdrawing: what BIRD tells the routers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lbaas.agent.rounds import Failed, Round, attempt
from lbaas.dataplane.bird.apply import apply
from lbaas.dataplane.bird.desired import Announcement
from lbaas.dataplane.bird.observe import observe
from lbaas.dataplane.bird.plan import Observed, lingering, plan, unheard
from lbaas.domain.addresses import host_prefix
from lbaas.errors import StepFailed
from lbaas.node_agent.gate import unready
from lbaas.node_agent.picture import Picture


@dataclass(frozen=True)
class BirdPaths:
    """BIRD's control socket, and the include file that is ours."""

    control: Path
    include: Path


def announce(
    paths: BirdPaths,
    round_: Round,
    wanted: Announcement,
    held: Picture,
    before: Observed | None = None,
    *,
    keep: bool = False,
) -> bool:
    """BIRD announces of *wanted* what *round_* left forwarding of *held*, and nothing else.

    *before* is how BIRD was found, if that is known; with *keep* it goes on announcing what it did. True if
    nothing else lingers, so that what it would need can be withdrawn.
    """

    def look() -> Observed | None:
        return attempt(round_, "bird", "observe", lambda: observe(paths.control, paths.include))

    before = before or look()
    if before is None:
        return False
    if not before.answered and before.running:
        round_.failures.append(_silent(paths))
        return False
    if keep:
        wanted = replace(wanted, prefixes=wanted.prefixes | (before.loaded or frozenset()))
    wanted = announceable(wanted, held, round_, before)
    steps = attempt(round_, "bird", "plan", lambda: plan(before, wanted).establish)
    if steps is None:
        return False
    round_.apply("bird", lambda some: apply(paths.control, paths.include, some), steps)
    now = look() if steps else before
    if now is None:
        return False
    round_.failures += _alarms(now, wanted)
    return not lingering(now, wanted)


def settled(now: Observed, wanted: Announcement) -> bool:
    """True if BIRD announces *wanted* and nothing else, and some router hears each of its families."""
    return not plan(now, wanted) and not unheard(now, wanted)


def announceable(wanted: Announcement, held: Picture, round_: Round, now: Observed) -> Announcement:
    """*wanted*, less what *round_* could not get to forward."""
    announced = frozenset(prefix.network_address for prefix in now.loaded or ())
    missing = unready(held, round_.failures, announced)
    return replace(wanted, prefixes=wanted.prefixes - {host_prefix(vip) for vip in missing})


def _silent(paths: BirdPaths) -> Failed:
    """To ask a BIRD that hangs for anything would keep the agent waiting, and change nothing."""
    cause = f"{paths.control}: BIRD does not answer: it announces what it last did"
    return Failed(None, StepFailed("bird", "observe", "*", cause))


def _alarms(now: Observed, wanted: Announcement) -> Iterator[Failed]:
    for family in sorted(unheard(now, wanted)):
        cause = f"no BGP session over IPv{family} is established: no router hears of its VIPs here"
        yield Failed(None, StepFailed("bird", "announce", f"IPv{family}", cause))
    if lingering(now, wanted):
        cause = "BIRD still announces what it should not: all that this needs is kept"
        yield Failed(None, StepFailed("bird", "withdraw", "*", cause))
