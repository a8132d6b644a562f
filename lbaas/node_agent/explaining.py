"""What a flow's way is at this node: the state on disk beside kernel and BIRD. Nothing is changed."""

import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from lbaas.agent.last_good import LastGood
from lbaas.agent.looking import no_state, rules_of_others, seen, way_out
from lbaas.dataplane.bird.control import BirdControl
from lbaas.dataplane.bird.desired import peer_protocol
from lbaas.dataplane.bird.observe import observe as observe_bird
from lbaas.dataplane.bird.sessions import sessions, told
from lbaas.dataplane.ipvs import observe as ipvs_observe
from lbaas.dataplane.ipvs.desired import ServiceTable
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.link import observe as link_observe
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.programs import attached
from lbaas.dataplane.link.routing import routing
from lbaas.dataplane.marks import observe as marks_observe
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.desired import NODE
from lbaas.domain.addresses import Address, Prefix, host_prefix
from lbaas.explain.node import explain_node
from lbaas.explain.node_facts import Announced, NodeDesired, NodeSeen
from lbaas.health.effect import outlook, withdrawn
from lbaas.node_agent.announce import BirdPaths
from lbaas.node_agent.foreign import FwmarkRule, concerns
from lbaas.node_agent.locality import localized
from lbaas.wire.explanation import Answer, FiveTuple
from lbaas.wire.reading import ClusterParts
from lbaas.wire.report import Unhealthy
from lbaas.wire.state import ClusterState, NodeSettings, Peer


@dataclass(frozen=True)
class Explainer:
    """Answers from *state_dir*, where the agent keeps its last good state, and from what it sees itself."""

    state_dir: Path
    bird: BirdPaths

    def explain(self, wanted: FiveTuple, unhealthy: Iterable[Unhealthy] | None = None) -> Answer:
        """This node's hops. *unhealthy* are the members that fail their checks, None if nobody knows here.

        Raises BadState if what is on disk can't be read.
        """
        last_good = LastGood(self.state_dir).load()
        if last_good is None:
            return Answer(hops=(no_state(self.state_dir),))
        parts = ClusterParts.read(last_good.entries, last_good.revision)
        settings = parts.bare.nodes.get(last_good.agent)
        machine = "this node" if settings is None else settings.name
        state = localized(_of_vip(parts, wanted.vip), machine)
        desired = _desired(state, settings, unhealthy, time.time())
        with ExitStack() as sockets:
            seen = Look(self.bird, sockets).at(state, wanted)
        return explain_node(machine, desired, seen, wanted)


def _of_vip(parts: ClusterParts, vip: Address) -> ClusterState:
    found = (settings for key in parts.vips() if (settings := parts.vip(key)) is not None)
    return parts.part([each for each in found if each.address == vip])


def _desired(
    state: ClusterState,
    settings: NodeSettings | None,
    unhealthy: Iterable[Unhealthy] | None,
    now_s: float,
) -> NodeDesired:
    marks = {each.mark for each in state.services}
    unfit = frozenset(each.address for each in unhealthy or () if each.mark in marks)
    outlooks = [outlook(each, unfit, now_s) for each in state.services]
    effective = tuple(each.service for each in outlooks)
    return NodeDesired(
        state, settings, effective, bool(withdrawn(outlooks)), checked=unhealthy is not None
    )


class Look:
    """One look at kernel and BIRD; sockets are closed with *sockets*."""

    def __init__(self, bird: BirdPaths, sockets: ExitStack) -> None:
        self._bird = bird
        self._sockets = sockets

    def at(self, state: ClusterState, wanted: FiveTuple) -> NodeSeen:
        """All that concerns *wanted*; what can't be looked at is said to be so."""
        link = self._sockets.enter_context(closing(LinkSocket()))
        nft = self._sockets.enter_context(closing(Nft()))
        netfilter = self._sockets.enter_context(closing(NfSocket()))
        members = {each.address for service in state.services for each in service.backends}
        with routing() as asked:
            rules = [FwmarkRule(*each) for each in asked.fwmark_rules()]
        return NodeSeen(
            bird=seen(lambda: self._announced(host_prefix(wanted.vip), state.peers)),
            links=seen(lambda: link_observe.observe(link)),
            marks=seen(lambda: marks_observe.observe(nft, netfilter)),
            structure=marks_observe.expected_structure(nft, state.marks, "lbaas_explain"),
            services=seen(lambda: self._services(state)),
            settings=sysctl_observe.observe(NODE),
            others=seen(lambda: rules_of_others(nft)),
            rules=tuple(f"rule {each.priority}" for each in rules if concerns(each, state.marks)),
            ways={member: way_out(member) for member in members},
            programs=seen(attached),
        )

    def _announced(self, prefix: Prefix, peers: Iterable[Peer]) -> Announced:
        names = [
            peer_protocol(each.address) for each in peers if each.address.version == prefix.version
        ]
        loaded = observe_bird(self._bird.control, self._bird.include).loaded
        with closing(BirdControl(self._bird.control)) as bird:
            found = sessions(bird)
            return Announced(loaded or frozenset(), found.bgp, found.bfd, told(bird, prefix, names))

    def _services(self, state: ClusterState) -> ServiceTable:
        ipvs = self._sockets.enter_context(closing(IpvsSocket()))
        marks = {each.mark for each in state.services}
        entries = [each for each in ipvs.services() if each.mark in marks]
        return ipvs_observe.closely(ipvs, entries, state.marks)
