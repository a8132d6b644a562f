"""What a node shall hold, and what was seen there."""

from collections.abc import Mapping
from dataclasses import dataclass

from lbaas.dataplane.ipvs.desired import ServiceTable
from lbaas.dataplane.link.desired import LinkTable
from lbaas.dataplane.marks.desired import MarkTable
from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import NodeAdminState
from lbaas.explain.hops import Seen
from lbaas.explain.ways import Way
from lbaas.wire.explanation import FiveTuple
from lbaas.wire.state import ClusterState, Flow, NodeSettings, VirtualService


@dataclass(frozen=True)
class NodeDesired:
    """What the node shall hold: *state* is of the flow's VIP alone, *settings* are the node's own.

    *effective* is the services as checks and deadlines have them, *withdrawn* whether the VIP is not to be
    announced for want of members. Without *checked*, nobody told what the checks found.
    """

    state: ClusterState
    settings: NodeSettings | None
    effective: tuple[VirtualService, ...]
    withdrawn: bool = False
    checked: bool = True

    def flow(self, wanted: FiveTuple) -> Flow | None:
        """What says which mark the packets get."""
        return next((each for each in self.state.flows if _is_for(each, wanted)), None)

    def service(self, mark: int) -> VirtualService:
        """The service of a flow's mark, its members all fit."""
        return next(each for each in self.state.services if each.mark == mark)

    @property
    def announced(self) -> bool:
        """True if the node shall announce the VIP."""
        active = self.settings is not None and self.settings.admin_state is NodeAdminState.ACTIVE
        return active and bool(self.state.announced) and not self.withdrawn


@dataclass(frozen=True)
class Announced:
    """What BIRD says. *sessions* and *bfd* are states by protocol and by address, *exported* what each peer is told."""

    loaded: frozenset[Prefix]
    sessions: Mapping[str, str]
    bfd: Mapping[Address, str]
    exported: Mapping[str, bool]


@dataclass(frozen=True)
class NodeSeen:
    """This node's kernel and BIRD, as far as they concern one VIP.

    *structure* is how our table of marks would list, *others* how the tables of others do; *rules* are routing
    rules that look at marks of ours. *ways* lead to members. *programs* are attached to devices.
    """

    bird: Seen[Announced]
    links: Seen[LinkTable]
    marks: Seen[MarkTable]
    structure: str
    services: Seen[ServiceTable]
    settings: Mapping[str, str | None]
    others: Seen[Mapping[str, str]]
    rules: tuple[str, ...]
    ways: Mapping[Address, Way | None]
    programs: Seen[tuple[str, ...]] = ()


def _is_for(flow: Flow, wanted: FiveTuple) -> bool:
    inside = flow.ports.first <= wanted.port <= flow.ports.last
    return inside and flow.protocol is wanted.protocol and flow.vip == wanted.vip
