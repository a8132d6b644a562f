"""One round on a node, in the order that keeps every packet forwarded."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from uuid import UUID

from lbaas.agent.rounds import Failed, Round, Subsystem, begin
from lbaas.dataplane.bird import apply as bird_apply
from lbaas.dataplane.bird import observe as bird_observe
from lbaas.dataplane.bird.desired import Announcement, announcement
from lbaas.dataplane.bird.plan import lingering, unheard
from lbaas.dataplane.bird.plan import plan as plan_bird
from lbaas.dataplane.ipvs import apply as ipvs_apply
from lbaas.dataplane.ipvs import observe as ipvs_observe
from lbaas.dataplane.ipvs.desired import service_table
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.ipvs.plan import plan as plan_ipvs
from lbaas.dataplane.link import apply as link_apply
from lbaas.dataplane.link import observe as link_observe
from lbaas.dataplane.link.desired import node_links
from lbaas.dataplane.link.netlink import IPRoute
from lbaas.dataplane.link.plan import plan as plan_link
from lbaas.dataplane.marks import apply as marks_apply
from lbaas.dataplane.marks import observe as marks_observe
from lbaas.dataplane.marks.desired import declaration, mark_table
from lbaas.dataplane.marks.plan import plan as plan_marks
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.desired import NODE
from lbaas.dataplane.sysctl.plan import plan as plan_sysctl
from lbaas.domain.addresses import Address, host_prefix
from lbaas.errors import StepFailed
from lbaas.node_agent.gate import unready
from lbaas.node_agent.retiring import Retiring
from lbaas.wire.state import ClusterState, MarkRange, NodeSettings


@dataclass(frozen=True)
class BirdPaths:
    """BIRD's control socket, and the include file that is ours."""

    control: Path
    include: Path


class Node:
    """This node's data plane: sockets to kernel and BIRD, opened when first needed and then kept."""

    def __init__(self, bird: BirdPaths) -> None:
        self._bird = bird
        self._structures: dict[MarkRange, str] = {}
        self._retiring = Retiring()

    @cached_property
    def _netlink(self) -> IPRoute:
        return IPRoute()

    @cached_property
    def _ipvs(self) -> IpvsSocket:
        return IpvsSocket()

    @cached_property
    def _nft(self) -> Nft:
        return Nft()

    def reconcile(self, state: ClusterState, agent: UUID) -> Round:
        """The node holds *state* as far as it could be had, and announces only what it forwards.

        Addresses, settings, services, marks, then BIRD; what is too much goes the other way, some time
        after BIRD has withdrawn it.
        """
        settings = state.nodes.get(agent)
        if settings is None:
            return _not_ours(agent)
        held = self._retiring.held(state, time.monotonic())
        round_ = begin(self._subsystems(held))
        round_.pending = self._retiring.pending
        round_.establish()
        wanted = self._announceable(state, settings, round_)
        if self._announce(round_, wanted):
            round_.withdraw()
        return round_

    def _subsystems(self, state: ClusterState) -> Sequence[Subsystem]:
        rules = declaration(state.marks)
        return (
            Subsystem(
                "link",
                lambda: plan_link(link_observe.observe(self._netlink), node_links(state)),
                lambda steps: link_apply.apply(self._netlink, steps),
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

    def _announceable(
        self, state: ClusterState, settings: NodeSettings, round_: Round
    ) -> Announcement:
        loaded = bird_observe.observe(self._bird.control, self._bird.include).loaded or frozenset()
        announced = frozenset(prefix.network_address for prefix in loaded)
        return _without(announcement(state, settings), unready(state, round_.failures, announced))

    def _announce(self, round_: Round, wanted: Announcement) -> bool:
        """BIRD was told; True if nothing lingers that routers may still send us packets for."""
        paths = self._bird
        bird = Subsystem(
            "bird",
            lambda: plan_bird(bird_observe.observe(paths.control, paths.include), wanted),
            lambda steps: bird_apply.apply(paths.control, paths.include, steps),
        )
        told = begin([bird])
        told.establish()
        round_.changes += told.changes
        round_.failures += told.failures
        now = bird_observe.observe(paths.control, paths.include)
        round_.failures += [_unheard(family) for family in sorted(unheard(now, wanted))]
        if lingering(now, wanted):
            held = StepFailed(
                "bird", "withdraw", "*", "BIRD still announces: what it needs is kept"
            )
            round_.failures.append(Failed(None, held))
            return False
        return True


def _unheard(family: int) -> Failed:
    cause = (
        f"no BGP session over IPv{family} is established: no router hears of these VIPs from here"
    )
    return Failed(None, StepFailed("bird", "announce", f"IPv{family}", cause))


def _without(wanted: Announcement, held: frozenset[Address]) -> Announcement:
    return replace(wanted, prefixes=wanted.prefixes - {host_prefix(each) for each in held})


def _not_ours(agent: UUID) -> Round:
    cause = (
        "the cluster's state does not name this node: was it deleted, or is the token another's?"
    )
    return Round(failures=[Failed(None, StepFailed("state", "read", str(agent), cause))])
