"""What an agent's report says besides what its rounds did."""

from collections.abc import Hashable
from dataclasses import dataclass

from lbaas.wire.report import Dropped, NodeFacts, Unhealthy, Unsent


@dataclass(frozen=True)
class Details:
    """Asked for after each round, so it must be at hand and cost nothing."""

    checked: int = 0
    unhealthy: tuple[Unhealthy, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    facts: NodeFacts | None = None
    unsent: Unsent | None = None

    @property
    def news(self) -> Hashable:
        """Equal as long as nothing but counters moved: those wait for the next sign of life."""
        facts = self.facts and self.facts.model_copy(update={"ingress_packets": 0})
        return self.checked, self.unhealthy, facts
