"""Nothing is announced before it forwards: which VIPs a round's failures keep from being announced."""

from collections.abc import Iterable

from lbaas.agent.rounds import Failed
from lbaas.dataplane.ipvs.plan import CreateService, SetScheduler
from lbaas.dataplane.link.plan import AddAddress, AddDevice
from lbaas.dataplane.marks.plan import AddVip, ReplaceTable, SetFlow, SetPolicy
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.domain.addresses import Address
from lbaas.wire.state import ClusterState


def unready(
    state: ClusterState, failures: Iterable[Failed], announced: frozenset[Address]
) -> frozenset[Address]:
    """The VIPs of *state* that must not be announced.

    A missing address, service, mark or policy keeps its own VIPs back; a subsystem that can't be reached or a table
    that can't be made keeps all. A setting that can't be written keeps back only what is not *announced*
    yet: flows that work now would gain nothing from a withdrawal. A backend that can't be added, or
    anything that can't be removed, keeps nothing: the service forwards.
    """
    return frozenset(vip for failed in failures for vip in _kept_back(state, failed, announced))


def _kept_back(
    state: ClusterState, failed: Failed, announced: frozenset[Address]
) -> Iterable[Address]:
    match failed.step:
        case AddAddress(alias=alias):
            return (alias.address,)
        case AddVip(address=address):
            return (address,)
        case SetFlow(flow=flow):
            return (flow.vip,)
        case CreateService(service=service) | SetScheduler(service=service):
            return tuple(
                flow.vip
                for flow in state.flows
                if (flow.mark, flow.vip.version) == (service.mark, service.family)
            )
        case SetPolicy(mark=mark):
            return tuple(flow.vip for flow in state.flows if flow.mark == mark)
        case SetSysctl():
            return frozenset(state.vips) - announced
        case AddDevice() | ReplaceTable():
            return state.vips
        case None if failed.error.subsystem != "sysctl":
            return state.vips
        case _:
            return ()
