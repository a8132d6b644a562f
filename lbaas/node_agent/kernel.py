"""This node's kernel: what is planned and applied there, subsystem by subsystem."""

import socket
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

from lbaas.agent.legacy import legacy_tables
from lbaas.agent.looking import tables_of_others
from lbaas.agent.rounds import Round, Subsystem, begin
from lbaas.dataplane.ipvs import apply as ipvs_apply
from lbaas.dataplane.ipvs import observe as ipvs_observe
from lbaas.dataplane.ipvs.connections import ConnectionTable, SyncDaemon, sync_daemons
from lbaas.dataplane.ipvs.connections import plan as plan_connections
from lbaas.dataplane.ipvs.desired import ServiceTable
from lbaas.dataplane.ipvs.netlink import IpvsSocket, ServiceEntry
from lbaas.dataplane.ipvs.plan import plan as plan_ipvs
from lbaas.dataplane.link import apply as link_apply
from lbaas.dataplane.link import observe as link_observe
from lbaas.dataplane.link.desired import LinkTable
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.plan import plan as plan_link
from lbaas.dataplane.link.routing import routing
from lbaas.dataplane.marks import apply as marks_apply
from lbaas.dataplane.marks import observe as marks_observe
from lbaas.dataplane.marks.desired import Drops, MarkTable
from lbaas.dataplane.marks.plan import MarkStep
from lbaas.dataplane.marks.plan import plan as plan_marks
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.probes import apply as probes_apply
from lbaas.dataplane.probes import observe as probes_observe
from lbaas.dataplane.probes.desired import declaration as probes_declaration
from lbaas.dataplane.probes.plan import ReplaceTable as ReplaceProbes
from lbaas.dataplane.probes.plan import plan as plan_probes
from lbaas.dataplane.steps import Plan
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.desired import NODE
from lbaas.dataplane.sysctl.plan import plan as plan_sysctl
from lbaas.dataplane.turns import by_turns
from lbaas.errors import StepFailed
from lbaas.health.marks import owned, probe_range
from lbaas.node_agent.facts import (
    ingress_packets,
    order_digest,
    scheduler_bytes,
    strict_rp_filter,
)
from lbaas.node_agent.foreign import FwmarkRule, Surroundings, described
from lbaas.node_agent.picture import Change, Picture, links, marks, services
from lbaas.node_agent.silent import silent
from lbaas.wire.report import NodeFacts
from lbaas.wire.state import ClusterState, MarkRange


class Kernel:
    """Sockets to the kernel, opened when first needed and then kept. One thread at a time may use it."""

    def __init__(self) -> None:
        self._structures: dict[MarkRange, str] = {}
        self._probes_listing: dict[str, str] = {}
        self._observed: ServiceTable = {}
        self._others = 0  # IPVS services that are not ours
        self.drops: Drops = {}  # as last observed

    @cached_property
    def _link(self) -> LinkSocket:
        return LinkSocket()

    @cached_property
    def _ipvs(self) -> IpvsSocket:
        return IpvsSocket()

    @cached_property
    def _nft(self) -> Nft:
        return Nft()

    @cached_property
    def _netfilter(self) -> NfSocket:
        return NfSocket()

    @property
    def structure(self) -> str | None:
        """What the marks' table lists as when it is whole; None before anything was planned."""
        return next(iter(self._structures.values()), None)

    def whole(self, bare: ClusterState, wanted: Picture) -> Round:
        """All is observed, and planned to become *wanted* under the settings of *bare*."""
        return begin(
            (
                self._links(lambda: link_observe.observe(self._link), lambda: links(wanted)),
                self._settings(),
                self._services(
                    lambda: self._observe_services(owned(bare.marks)), lambda: services(wanted)
                ),
                self._probes(probe_range(bare.marks)),
                self._connections(bare),
                self._marks(
                    bare.marks,
                    self._marks_held,
                    lambda: marks(wanted, self._structure(bare.marks)),
                ),
            )
        )

    def facts(self, bare: ClusterState, wanted: Picture) -> NodeFacts:
        """What can be said of the kernel as it was last observed. Raises LbaasError or OSError."""
        held = {
            key: each for key, each in by_turns(self._observed.items()) if key.mark in bare.marks
        }
        # What retires does so on each node in its own time; what is local differs by design.
        lasting = {
            key
            for each in by_turns(wanted.values())
            if each.prefix is not None and each.alike
            for key in each.services
        }
        return NodeFacts(
            revision=bare.revision,
            services=len(held),
            scheduler_bytes=scheduler_bytes(held),
            order_digest=order_digest(
                {key: each for key, each in by_turns(held.items()) if key in lasting}
            ),
            foreign=described(self._surroundings(), bare.marks),
            ingress_packets=ingress_packets(),
            silent=silent(wanted),
        )

    def forget(self) -> None:
        """What was last observed is let go."""
        _let_go(self._observed)

    def ingress(self, marks: MarkRange) -> int:
        """Packets that have come for services with *marks*; those of the node's own checks carry others."""
        entries = self._ipvs.services()
        return sum(each.stats.rx_packets for each in entries if each.mark in marks)

    def _surroundings(self) -> Surroundings:
        with routing() as asked:
            rules = tuple(FwmarkRule(*each) for each in asked.fwmark_rules())
        return Surroundings(
            services=self._others,
            tables=tables_of_others(self._nft),
            rules=rules,
            strict=tuple(strict_rp_filter()),
            legacy=tuple(legacy_tables()),
            devices=tuple(name for _, name in socket.if_nameindex()),
        )

    def _observe_services(self, marks: MarkRange) -> ServiceTable:
        listed = partial(self._list_services, marks)
        self._observed = ipvs_observe.observe_among(self._ipvs, listed, marks)
        return self._observed

    def _list_services(self, marks: MarkRange) -> Iterator[ServiceEntry]:
        self._others = 0
        for entry in self._ipvs.services():
            self._others += entry.mark not in marks
            yield entry

    def part(self, bare: ClusterState, change: Change) -> Round:
        """*change* is planned as if the kernel held what was before it; nothing is observed."""
        before, after = change.before, change.after
        return begin(
            (
                self._links(partial(links, before), partial(links, after)),
                self._services(partial(services, before), partial(services, after)),
                self._marks(bare.marks, partial(marks, before, None), partial(marks, after, None)),
            )
        )

    def _links(
        self, observed: Callable[[], LinkTable], desired: Callable[[], LinkTable]
    ) -> Subsystem:
        return Subsystem(
            "link",
            lambda: plan_link(observed(), desired()),
            lambda steps: link_apply.apply(self._link, steps),
        )

    def _settings(self) -> Subsystem:
        return Subsystem(
            "sysctl",
            lambda: plan_sysctl(sysctl_observe.observe(NODE), NODE),
            sysctl_apply.apply,
        )

    def _services(
        self, observed: Callable[[], ServiceTable], desired: Callable[[], ServiceTable]
    ) -> Subsystem:
        return Subsystem(
            "ipvs",
            lambda: plan_ipvs(observed(), desired()),
            lambda steps: ipvs_apply.apply(self._ipvs, steps),
        )

    def _connections(self, bare: ClusterState) -> Subsystem:
        return Subsystem(
            "connections",
            lambda: plan_connections(
                ipvs_observe.observe_connections(self._ipvs),
                ConnectionTable(bare.timeouts, self._sync_daemons(bare)),
            ),
            lambda steps: ipvs_apply.apply_connections(self._ipvs, steps),
        )

    def _sync_daemons(self, bare: ClusterState) -> frozenset[SyncDaemon]:
        """Nodes of a cluster share the segment on which their routers are: there they hear each other."""
        if not bare.connection_sync:
            return frozenset()
        with routing() as asked:
            devices = [asked.device_towards(peer.address) for peer in bare.peers]
        device = next(filter(None, devices), None)
        if device is None:
            raise StepFailed(
                "connections", "observe", "*", "no way to any peer: nobody to sync with"
            )
        return sync_daemons(bare.cluster, device)

    def _marks(
        self,
        range_: MarkRange,
        observed: Callable[[], MarkTable],
        desired: Callable[[], MarkTable],
    ) -> Subsystem:
        return Subsystem(
            "marks",
            lambda: self._plan_marks(observed(), desired()),
            lambda steps: marks_apply.apply(self._nft, self._netfilter, steps, declaration(range_)),
        )

    @staticmethod
    def _plan_marks(observed: MarkTable, desired: MarkTable) -> Plan[MarkStep]:
        steps = plan_marks(observed, desired)
        _let_go(observed.flows)
        return steps

    def _probes(self, range_: MarkRange) -> Subsystem:
        return Subsystem(
            "probes",
            lambda: self._plan_probes(probes_declaration(range_)),
            lambda steps: probes_apply.apply(self._nft, steps),
        )

    def _plan_probes(self, declared: str) -> Plan[ReplaceProbes]:
        if declared not in self._probes_listing:
            self._probes_listing = {declared: probes_observe.expected(self._nft, declared)}
        expected = self._probes_listing[declared]
        return plan_probes(probes_observe.observe(self._nft), expected, declared)

    def _marks_held(self) -> MarkTable:
        held = marks_observe.observe(self._nft, self._netfilter)
        self.drops = held.drops
        return held

    def _structure(self, marks: MarkRange) -> str:
        if marks not in self._structures:
            self._structures = {marks: marks_observe.expected_structure(self._nft, marks)}
        return self._structures[marks]


def _let_go(table: dict[Any, Any]) -> None:
    """*table* is empty. Thousands of entries that go at once would keep other threads waiting."""
    while table:
        table.popitem()
