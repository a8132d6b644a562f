"""The guard against a mistake upstream: many services that would go at once wait for an operator's word."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lbaas.dataplane.ipvs.desired import ServiceKey
from lbaas.errors import StepFailed
from lbaas.wire.report import HeldRemoval
from lbaas.wire.state import ClusterState, MarkRange, NodeSettings

# Below that, even all of a node's services may go: a small site does so in its daily life. A script that deletes
# VIP by VIP may have several of them in one body, while the node is busy with the one before (decision record:
# removal-guard).
_ALWAYS_ALLOWED = 20


@dataclass(frozen=True)
class Leave:
    """What may go at once: so many percent, and anything that was confirmed up to a revision.

    Services of other marks than the cluster's own *marks* are those of health checks: nobody's flows hang on them.
    """

    percent: int
    confirmed: int | None
    marks: MarkRange

    @classmethod
    def of(cls, bare: ClusterState, settings: NodeSettings) -> "Leave":
        """What cluster and node say."""
        return cls(bare.removal_guard_percent, settings.removal_confirmed, bare.marks)

    def counted(self, keys: Iterable[ServiceKey]) -> frozenset[ServiceKey]:
        """Those of *keys* that count."""
        return frozenset(key for key in keys if key.mark in self.marks)


class RemovalGuard:
    """Remembers what it holds. *held* is None while nothing is."""

    def __init__(self) -> None:
        self.held: HeldRemoval | None = None
        self._services: AbstractSet[ServiceKey] = frozenset()

    def holds(self, removed: AbstractSet[ServiceKey], of: int, revision: int, leave: Leave) -> bool:
        """True if *removed*, where *of* services are held, must stay for now.

        To be confirmed is the first revision that asked for as much: what is confirmed is what was seen.
        """
        if len(removed) < _ALWAYS_ALLOWED or 100 * len(removed) <= leave.percent * of:
            self.held, self._services = None, frozenset()
            return False
        if self.held is not None and removed <= self._services:
            revision = self.held.revision
        self.held = HeldRemoval(revision=revision, services=len(removed), of=of)
        self._services = removed
        if leave.confirmed is not None and leave.confirmed >= revision:
            self.held, self._services = None, frozenset()
        return self.held is not None

    def failure(self) -> StepFailed | None:
        """What an operator reads, None while nothing is held."""
        if self.held is None:
            return None
        cause = (
            f"{self.held.services} of {self.held.of} services would go at once: they stay until somebody confirms"
            f" revision {self.held.revision} for this node"
        )
        return StepFailed("removal", "hold", "*", cause)
