"""The last step of establishing and the first of withdrawing: what BIRD tells the routers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lbaas.agent.rounds import Failed, Round, attempt
from lbaas.dataplane.bird.apply import apply
from lbaas.dataplane.bird.desired import Announcement, announcement
from lbaas.dataplane.bird.observe import observe
from lbaas.dataplane.bird.plan import Observed, lingering, plan, unheard
from lbaas.domain.addresses import host_prefix
from lbaas.errors import StepFailed
from lbaas.node_agent.gate import unready
from lbaas.wire.state import ClusterState, NodeSettings


@dataclass(frozen=True)
class BirdPaths:
    """BIRD's control socket, and the include file that is ours."""

    control: Path
    include: Path


def announce(paths: BirdPaths, round_: Round, state: ClusterState, settings: NodeSettings) -> bool:
    """BIRD announces what *round_* left forwarding, and nothing else.

    True if nothing else lingers, so that what it would need can be withdrawn.
    """

    def look() -> Observed | None:
        return attempt(round_, "bird", "observe", lambda: observe(paths.control, paths.include))

    before = look()
    if before is None:
        return False
    wanted = announceable(state, settings, round_, before)
    steps = attempt(round_, "bird", "plan", lambda: plan(before, wanted).establish)
    if steps is None:
        return False
    round_.apply("bird", lambda some: apply(paths.control, paths.include, some), steps)
    now = look() if steps else before
    if now is None:
        return False
    round_.failures += _alarms(now, wanted)
    return not lingering(now, wanted)


def announceable(
    state: ClusterState, settings: NodeSettings, round_: Round, now: Observed
) -> Announcement:
    """What the node shall announce, less what *round_* could not get to forward."""
    announced = frozenset(prefix.network_address for prefix in now.loaded or ())
    held = unready(state, round_.failures, announced)
    wanted = announcement(state, settings)
    return replace(wanted, prefixes=wanted.prefixes - {host_prefix(vip) for vip in held})


def _alarms(now: Observed, wanted: Announcement) -> Iterator[Failed]:
    for family in sorted(unheard(now, wanted)):
        cause = f"no BGP session over IPv{family} is established: no router hears of its VIPs here"
        yield Failed(None, StepFailed("bird", "announce", f"IPv{family}", cause))
    if lingering(now, wanted):
        cause = "BIRD still announces what it should not: all that this needs is kept"
        yield Failed(None, StepFailed("bird", "withdraw", "*", cause))
