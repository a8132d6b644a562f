"""One round on a node, in the order that keeps every packet forwarded."""

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from uuid import UUID

from lbaas.agent.rounds import Failed, Round, attempt
from lbaas.dataplane.bird.desired import Announcement, announcement
from lbaas.dataplane.bird.observe import Patrol
from lbaas.dataplane.bird.plan import Observed, sessions
from lbaas.dataplane.ipvs.desired import ServiceKey
from lbaas.dataplane.ipvs.plan import RemoveService
from lbaas.domain.addresses import Address
from lbaas.domain.terms import NodeAdminState
from lbaas.errors import StepFailed
from lbaas.node_agent.announce import BirdPaths, announce, settled
from lbaas.node_agent.audit import Audit, Findings, subject
from lbaas.node_agent.kernel import Kernel
from lbaas.node_agent.picture import Change, Picture, Subject, announced, services
from lbaas.node_agent.quiet import Quiet
from lbaas.node_agent.refused import dropped
from lbaas.node_agent.removal import Leave, RemovalGuard
from lbaas.node_agent.unheard import Heard, heard
from lbaas.node_agent.view import View, as_it_is
from lbaas.node_agent.wanted import Wanted
from lbaas.wire.reading import ClusterParts
from lbaas.wire.report import Dropped, NodeFacts
from lbaas.wire.state import ClusterState, NodeSettings

# After a failure an audit comes so soon: it tries again whatever is still missing.
_RETRY_S = 1.0

# Each system call of the main thread gives the interpreter to an audit that is under way, which is asked for it back
# after so long: a change makes dozens of them. Where timers are coarse, threads that ask each other after 0.05 ms come
# to nothing.
_SWITCH_S = 0.0002


class Node:
    """This node's data plane.

    The first round looks at everything. Later ones carry out what changed as if the kernel held what it was
    given, which costs what changed; every *cycle_s* an audit, beside the main thread, finds what it does not hold.
    """

    def __init__(
        self,
        bird: BirdPaths,
        view: View = as_it_is,
        cycle_s: float = 5.0,
        kernel: Callable[[], Kernel] = Kernel,
    ) -> None:
        self._bird = bird
        self._patrol = Patrol(bird.control, bird.include)
        self._cycle_s = cycle_s
        self._wanted = Wanted(view)
        self._kernel = kernel()
        self._beside = kernel()
        self._reviewed: SimpleQueue[Address] = SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        self._audit = Audit(self._audited)
        self._quiet = Quiet()
        self._audited_at = 0.0
        self._frame: object = None  # the settings that all of the kernel was last brought to
        self._looked_for: Announcement | None = None  # by the last audit
        self._torn = threading.Event()
        self._guard = RemovalGuard()  # of what is in the kernel and was there before this agent
        self._facts = NodeFacts()
        self._failures: list[Failed] = []  # what stands of earlier rounds

    def wake_with(self, wake: Callable[[], None]) -> None:
        """*wake* is called, in any thread, when there is a reason for a round."""
        self._wake = wake

    @property
    def structure(self) -> str | None:
        """What the marks' table must list as; None while it is being made. May be asked in any thread."""
        return None if self._frame is None else self._kernel.structure

    def mend(self) -> None:
        """A round that looks at everything comes at once. May be called from any thread."""
        self._torn.set()
        self._wake()

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What was refused, by listener, as the last audit saw it."""
        return dropped(self._beside.drops or self._kernel.drops)

    def _audited(self) -> None:
        self._wake()

    def facts(self) -> NodeFacts:
        """What the last audit saw, and what is held back now."""
        held = self._wanted.guard.held or self._guard.held
        return self._facts.model_copy(update={"held_removal": held})

    def review(self, vips: Iterable[Address]) -> None:
        """The next round asks the view about *vips* again. May be called from any thread."""
        for vip in vips:
            self._reviewed.put(vip)

    def reconcile(self, parts: ClusterParts, agent: UUID) -> Round:
        """The node holds what is wanted as far as it could be had, and announces only what it forwards.

        Addresses, settings, services, marks, then BIRD; what is too much goes the other way, some time
        after BIRD has withdrawn it.
        """
        settings = parts.bare.nodes.get(agent)
        if settings is None:
            return _not_ours(agent)
        leave = Leave.of(parts.bare, settings)
        change = self._wanted.turn_to(parts, self._to_review(), leave, settings.name)
        round_ = self._round(parts.bare, settings, change)
        round_.pending = self._wanted.pending
        self._failures = list(round_.failures)
        round_.failures = [*self._failures, *self._held_back()]
        self._audit_if_due(parts.bare, settings)
        return round_

    def _to_review(self) -> Iterable[Address]:
        while True:
            try:
                yield self._reviewed.get_nowait()
            except Empty:
                return

    def _round(self, bare: ClusterState, settings: NodeSettings, change: Change) -> Round:
        frame = (bare.model_copy(update={"revision": 0, "nodes": {}}), settings)
        if frame != self._frame or self._torn.is_set():
            self._torn.clear()
            self._frame = None  # until the round is through
            round_ = self._whole(bare, settings)
            self._frame = frame
            return round_
        if change:
            return self._part(bare, settings, change)
        findings = self._audit.take()
        if findings is not None:
            self._audited_at = time.monotonic()
            if findings.facts is not None and findings.facts.revision == bare.revision:
                self._facts = findings.facts
            round_ = self._settle(findings, bare, settings)
            # Nothing is under way, and what stays was set aside: now it is quick (see ``undisturbed``).
            gc.collect()
            return round_
        return Round(failures=self._failures)

    def _whole(self, bare: ClusterState, settings: NodeSettings) -> Round:
        self._audit.forget()
        self._audited_at = time.monotonic()
        # A node that is put back into service, and taken out again, must be looked at anew.
        self._facts = self._facts.model_copy(update={"safe_to_stop": False})
        findings = Findings(self._kernel.whole(bare, self._wanted.picture))
        self._kernel.forget()
        round_ = self._repair(findings, bare, settings)
        # The picture stays: a collector that goes through it again and again keeps news waiting.
        gc.freeze()
        return round_

    def _settle(self, findings: Findings, bare: ClusterState, settings: NodeSettings) -> Round:
        if findings.as_wanted and not self._failures and self._guard.held is None:
            return findings.round
        return self._repair(findings, bare, settings)

    def _repair(self, findings: Findings, bare: ClusterState, settings: NodeSettings) -> Round:
        leave = Leave.of(bare, settings)
        round_ = findings.round
        round_.establish()
        round_.failures += [each for each in self._failures if _unsure(each, findings.unsure)]
        removed = leave.counted(removed_services(round_))
        # What is wanted has just been established, so the kernel holds both.
        of = len(removed | leave.counted(services(self._wanted.picture))) if removed else 0
        held = self._guard.holds(removed, of, bare.revision, leave)
        if self._announce(round_, bare, settings, findings.bird) and not held:
            round_.withdraw()
        return round_

    def _held_back(self) -> Iterator[Failed]:
        for guard in (self._wanted.guard, self._guard):
            if (failure := guard.failure()) is not None:
                yield Failed(None, failure)

    def _part(self, bare: ClusterState, settings: NodeSettings, change: Change) -> Round:
        self._audit.note(change)
        round_ = self._kernel.part(bare, change)
        round_.expected = True
        round_.establish()
        told = bool(round_.failures) or change.heard
        concerned = change.subjects
        round_.failures += [
            each
            for each in self._failures
            if each.step is None or subject(each.step) not in concerned
        ]
        if told or any(plan.withdraw for _, plan in round_.plans):
            round_.failures = [each for each in round_.failures if each.error.subsystem != "bird"]
            if self._announce(round_, bare, settings):
                round_.withdraw()
        return round_

    def _announce(
        self,
        round_: Round,
        bare: ClusterState,
        settings: NodeSettings,
        before: Observed | None = None,
    ) -> bool:
        wanted = announcement(bare, settings, announced(self._wanted.picture))
        # What the guard found in the kernel and keeps there, BIRD goes on announcing.
        keep = self._guard.held is not None and settings.admin_state is NodeAdminState.ACTIVE
        return announce(self._bird, round_, wanted, self._wanted.picture, before, keep=keep)

    def _audit_if_due(self, bare: ClusterState, settings: NodeSettings) -> None:
        if self._audit.over:
            self._wake()  # a change came first
        if self._audit.under_way:
            return
        # A call that comes a little early is the one that was meant.
        pause_s = 0.9 * (_RETRY_S if self._failures else self._cycle_s)
        if time.monotonic() - self._audited_at >= pause_s:
            held = dict(self._wanted.picture)
            self._audit.start(lambda: self._look(bare, settings, held))

    def _look(self, bare: ClusterState, settings: NodeSettings, held: Picture) -> Findings:
        round_ = self._beside.whole(bare, held)
        bird = attempt(Round(), "bird", "observe", self._patrol.observe)
        wanted = self._as_before(announcement(bare, settings, announced(held)))
        facts = attempt(
            Round(), "facts", "observe", lambda: self._seen(bare, settings, held, bird, wanted)
        )
        self._beside.forget()
        announces = bird is not None and settled(bird, wanted)
        return Findings(round_, bird, facts, announced=announces)

    def _as_before(self, wanted: Announcement) -> Announcement:
        """*wanted*, or its equal of the last look, which has its text already."""
        if wanted != self._looked_for:
            self._looked_for = wanted
        return self._looked_for

    def _seen(
        self,
        bare: ClusterState,
        settings: NodeSettings,
        held: Picture,
        bird: Observed | None,
        wanted: Announcement,
    ) -> NodeFacts:
        """What else there is to tell. Raises LbaasError or OSError."""
        facts = self._beside.facts(bare, held)
        found: dict[str, object] = {"safe_to_stop": self._may_stop(bare, settings, bird)}
        if bird is not None and bird.answered:
            told = attempt(Round(), "bird", "observe", lambda: heard(self._bird.control, wanted))
            told = told or Heard()
            found |= {
                "sessions": sessions(bird, wanted),
                "unheard": told.unheard,
                "without_bfd": told.without_bfd,
            }
        return facts.model_copy(update=found)

    def _may_stop(self, bare: ClusterState, settings: NodeSettings, bird: Observed | None) -> bool:
        """The node was taken out, BIRD announces nothing, and no client's packet comes any more."""
        if bird is None or bird.announces or settings.admin_state is NodeAdminState.ACTIVE:
            self._quiet.disturbed()
            return False
        return self._quiet.lasts(self._beside.ingress(bare.marks), time.monotonic())


def _unsure(failed: Failed, unsure: frozenset[Subject]) -> bool:
    """True if an audit that says nothing of *unsure* says nothing of what *failed*."""
    return bool(unsure) and failed.step is not None and subject(failed.step) in (None, *unsure)


def undisturbed() -> None:
    """The interpreter keeps no news waiting: call it once in the process that runs a node.

    An audit runs beside the main thread, which must get the interpreter back quickly. A collection that begins
    by itself, in the midst of an audit's tables, would stop both for a tenth of a second.
    """
    sys.setswitchinterval(_SWITCH_S)
    gc.disable()


def removed_services(round_: Round) -> frozenset[ServiceKey]:
    """The services that *round_* would withdraw."""
    steps = (step for _, plan in round_.plans for step in plan.withdraw)
    return frozenset(step.service for step in steps if isinstance(step, RemoveService))


def _not_ours(agent: UUID) -> Round:
    cause = (
        "the cluster's state does not name this node: was it deleted, or is the token another's?"
    )
    return Round(failures=[Failed(None, StepFailed("state", "read", str(agent), cause))])
