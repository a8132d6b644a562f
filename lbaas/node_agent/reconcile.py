"""One round on a node, in the order that keeps every packet forwarded."""

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from uuid import UUID

from lbaas.agent.rounds import Failed, Round, Subsystem, begin
from lbaas.dataplane.ipvs import apply as ipvs_apply
from lbaas.dataplane.ipvs import observe as ipvs_observe
from lbaas.dataplane.ipvs.desired import service_table
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.ipvs.plan import plan as plan_ipvs
from lbaas.dataplane.link import apply as link_apply
from lbaas.dataplane.link import observe as link_observe
from lbaas.dataplane.link.desired import node_links
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.plan import plan as plan_link
from lbaas.dataplane.marks import apply as marks_apply
from lbaas.dataplane.marks import observe as marks_observe
from lbaas.dataplane.marks.desired import mark_table
from lbaas.dataplane.marks.plan import plan as plan_marks
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.desired import NODE
from lbaas.dataplane.sysctl.plan import plan as plan_sysctl
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed
from lbaas.node_agent.announce import BirdPaths, announce
from lbaas.node_agent.retiring import Retiring
from lbaas.node_agent.view import View, as_it_is
from lbaas.wire.state import ClusterState, MarkRange


class Node:
    """This node's data plane: sockets to kernel and BIRD, opened when first needed and then kept."""

    def __init__(self, bird: BirdPaths, view: View = as_it_is) -> None:
        self._bird = bird
        self._view = view
        self._structures: dict[MarkRange, str] = {}
        self._retiring = Retiring()

    @cached_property
    def _link(self) -> LinkSocket:
        return LinkSocket()

    @cached_property
    def _ipvs(self) -> IpvsSocket:
        return IpvsSocket()

    @cached_property
    def _nft(self) -> Nft:
        return Nft()

    def review(self, vips: Iterable[Address]) -> None:
        """The next round asks the view about *vips* again. May be called from any thread."""

    def reconcile(self, state: ClusterState, agent: UUID) -> Round:
        """The node holds *state* as far as it could be had, and announces only what it forwards.

        Addresses, settings, services, marks, then BIRD; what is too much goes the other way, some time
        after BIRD has withdrawn it.
        """
        settings = state.nodes.get(agent)
        if settings is None:
            return _not_ours(agent)
        state = self._view(state, None)
        held = self._retiring.held(state, time.monotonic())
        round_ = begin(self._subsystems(held))
        round_.pending = self._retiring.pending
        round_.establish()
        if announce(self._bird, round_, state, settings):
            round_.withdraw()
        return round_

    def _subsystems(self, state: ClusterState) -> Sequence[Subsystem]:
        rules = declaration(state.marks)
        return (
            Subsystem(
                "link",
                lambda: plan_link(link_observe.observe(self._link), node_links(state)),
                lambda steps: link_apply.apply(self._link, steps),
            ),
            Subsystem(
                "sysctl",
                lambda: plan_sysctl(sysctl_observe.observe(NODE), NODE),
                sysctl_apply.apply,
            ),
            Subsystem(
                "ipvs",
                lambda: plan_ipvs(
                    ipvs_observe.observe(self._ipvs, state.marks), service_table(state)
                ),
                lambda steps: ipvs_apply.apply(self._ipvs, steps),
            ),
            Subsystem(
                "marks",
                lambda: plan_marks(
                    marks_observe.observe(self._nft),
                    mark_table(state, self._structure(state.marks)),
                ),
                lambda steps: marks_apply.apply(self._nft, steps, rules),
            ),
        )

    def _structure(self, marks: MarkRange) -> str:
        if marks not in self._structures:
            self._structures = {marks: marks_observe.expected_structure(self._nft, marks)}
        return self._structures[marks]


def _not_ours(agent: UUID) -> Round:
    cause = (
        "the cluster's state does not name this node: was it deleted, or is the token another's?"
    )
    return Round(failures=[Failed(None, StepFailed("state", "read", str(agent), cause))])
