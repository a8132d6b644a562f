"""One round on a backend host."""

import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from uuid import UUID

from lbaas.agent.rounds import Round, Subsystem, begin
from lbaas.dataplane.guard import apply as guard_apply
from lbaas.dataplane.guard import observe as guard_observe
from lbaas.dataplane.guard.desired import declaration, guard
from lbaas.dataplane.guard.plan import GuardStep
from lbaas.dataplane.guard.plan import plan as plan_guard
from lbaas.dataplane.gue import apply as gue_apply
from lbaas.dataplane.gue.desired import openings, owned
from lbaas.dataplane.gue.netlink import FouSocket
from lbaas.dataplane.gue.plan import GueStep
from lbaas.dataplane.gue.plan import plan as plan_gue
from lbaas.dataplane.link import apply as link_apply
from lbaas.dataplane.link import observe as link_observe
from lbaas.dataplane.link.desired import host_links, is_ours, receiving_v4, tunnel_devices
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.plan import plan as plan_link
from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.steps import Plan
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.desired import HOST, tunnel_sysctls
from lbaas.dataplane.sysctl.plan import plan as plan_sysctl
from lbaas.domain.addresses import Address
from lbaas.errors import ToolMissing
from lbaas.host_agent.lingering import Lingering
from lbaas.wire.state import HostState

# A host whose endpoint is on no device yet: what nearly every Ethernet has.
_USUAL_MTU = 1500


class Host:
    """A host's side of the data path, with sockets opened when first needed and then kept.

    Of *namespace*, a pod's; without one, of that in which we run. Open sockets keep a namespace alive.
    *shut_without_vips*: no tunnel is open where no VIP arrives, as where others may have tunnels of their own.
    """

    def __init__(
        self, namespace: Namespace | None = None, *, shut_without_vips: bool = False
    ) -> None:
        self._namespace = namespace
        self._shut_without_vips = shut_without_vips
        self._expected: dict[str, str] = {}
        # The guard that was found in force, and nftables' generation then: nobody has touched any table since.
        self._guarded: tuple[str, int] | None = None
        self._lingering = Lingering()

    @cached_property
    def _link(self) -> LinkSocket:
        return LinkSocket()

    @cached_property
    def _nft(self) -> Nft:
        return Nft()

    @cached_property
    def _netfilter(self) -> NfSocket:
        return NfSocket()

    @cached_property
    def _fou(self) -> FouSocket:
        return FouSocket()

    def reconcile(self, state: HostState, agent: UUID) -> Round:  # noqa: ARG002  # one loop runs both agents
        """The host holds *state* as far as it could be had.

        The guard stands before the tunnel opens and the ARP settings before the VIPs come; a device's own
        setting can only follow it, and GUE opens once there are devices behind it. A VIP that is no longer
        wanted lingers.
        """
        held = self._lingering.held(state.vips, time.monotonic())
        with self._inside():
            endpoints = () if self._shut_without_vips and not held else state.endpoints
            wanted = state.model_copy(update={"vips": held, "endpoints": endpoints})
            round_ = begin(self._subsystems(wanted))
            round_.pending = self._lingering.pending
            round_.establish()
            round_.withdraw()
        if self._namespace is not None:
            self._give_back("_nft")  # half a megabyte, of each of a machine's pods
        return round_

    def planned(self, state: HostState) -> Round:
        """What a round would do; nothing has changed."""
        with self._inside():
            return begin(self._subsystems(state))

    def addresses(self) -> frozenset[Address]:
        """What is reached here: every address but loopback, link-local, and the VIPs that we put here."""
        with self._inside():
            ours = {index for index, name in socket.if_nameindex() if is_ours(name)}
            return frozenset(
                each.address
                for each in self._link.held()
                if each.index not in ours and not each.address.is_loopback
            )

    def prepared(self) -> bool:
        """True if any device of ours is here."""
        with self._inside():
            return any(is_ours(name) for _, name in socket.if_nameindex())

    def missing_endpoints(self, state: HostState) -> tuple[Address, ...]:
        """Those of the host's addresses that no device here has: packets to them arrive elsewhere."""
        with self._inside():
            held = {each.address for each in self._link.held()}
        return tuple(each for each in state.endpoints if each not in held)

    def mtus(self, state: HostState) -> dict[int, int]:
        """The smallest MTU of each family's endpoints."""
        with self._inside():
            return smallest_mtus(self._link, state)

    def close(self) -> None:
        """The kernel keeps what it has; our sockets are given back, and with them our hold of the namespace."""
        self._give_back("_link", "_nft", "_netfilter", "_fou")
        if self._namespace is not None:
            self._namespace.close()

    def _give_back(self, *names: str) -> None:
        for name in names:
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()

    def _inside(self) -> AbstractContextManager[None]:
        return nullcontext() if self._namespace is None else self._namespace.inside()

    def _subsystems(self, state: HostState) -> Sequence[Subsystem]:
        tunnels = tunnel_sysctls(sorted(receiving_v4(tunnel_devices(state))))
        return (
            Subsystem(
                "guard",
                lambda: self._plan_guard(state),
                lambda steps: guard_apply.apply(self._nft, steps),
            ),
            _sysctls(HOST),
            Subsystem(
                "link",
                lambda: plan_link(link_observe.observe(self._link), host_links(state)),
                lambda steps: link_apply.apply(self._link, steps),
            ),
            _sysctls(tunnels),
            Subsystem(
                "gue",
                lambda: self._plan_gue(state),
                lambda steps: gue_apply.apply(self._fou, steps),
            ),
        )

    def _plan_gue(self, state: HostState) -> Plan[GueStep]:
        wanted = openings(state)
        try:
            found = self._fou.openings()
        except ToolMissing:
            if wanted:
                raise
            return Plan()  # a kernel that can't has nothing open
        return plan_gue(owned(found, state.endpoints), wanted)

    def _plan_guard(self, state: HostState) -> Plan[GuardStep]:
        wanted = declaration(guard(state, smallest_mtus(self._link, state)))
        now = wanted, self._netfilter.generation()
        if now == self._guarded:
            return Plan()
        if wanted not in self._expected:
            self._expected = {wanted: guard_observe.expected(self._nft, wanted)}
        steps = plan_guard(guard_observe.observe(self._nft), self._expected[wanted], wanted)
        self._guarded = None if steps else now
        return steps


def smallest_mtus(link: LinkSocket, state: HostState) -> dict[int, int]:
    """The smallest MTU of each family's endpoints."""
    mtus: dict[int, int] = {}
    for endpoint in state.endpoints:
        mtu = link_observe.mtu_towards(link, endpoint) or _USUAL_MTU
        mtus[endpoint.version] = min(mtu, mtus.get(endpoint.version, mtu))
    return mtus


def _sysctls(settings: Mapping[str, str]) -> Subsystem:
    return Subsystem(
        "sysctl",
        lambda: plan_sysctl(sysctl_observe.observe(settings), settings),
        sysctl_apply.apply,
    )
