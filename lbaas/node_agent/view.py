"""The desired state as this node sees it: what its health checks make of weights and announcements."""

from typing import Protocol

from lbaas.domain.addresses import Address
from lbaas.wire.state import ClusterState


class View(Protocol):
    """Called before a round, in the agent's main thread; it must not wait for anything.

    *state* is the part of a state that concerns *vips*, all VIPs at the start, in several parts: one of *vips*
    that *state* does not hold is gone, and what was said of all others still holds. What a view makes of a VIP
    may depend on that VIP's part of the state and on the view's own knowledge, on nothing else. Whoever
    changes that knowledge calls ``Node.review`` with the VIPs concerned, then ``Agent.wake``.
    """

    def __call__(self, state: ClusterState, vips: frozenset[Address]) -> ClusterState: ...


def as_it_is(state: ClusterState, vips: frozenset[Address]) -> ClusterState:  # noqa: ARG001  # View's signature
    """The view of a node without checks."""
    return state
