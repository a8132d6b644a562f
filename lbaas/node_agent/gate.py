"""Nothing is announced before it forwards: which VIPs a round's failures keep from being announced."""

from collections.abc import Collection, Iterable, Mapping

from lbaas.agent.rounds import Failed
from lbaas.dataplane.ipvs.desired import ServiceKey
from lbaas.dataplane.ipvs.plan import CreateService, SetScheduler
from lbaas.dataplane.link.plan import AcceptAddress
from lbaas.dataplane.marks.plan import AddVip, ReplaceTable, SetFlow, SetPolicy
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.domain.addresses import Address
from lbaas.node_agent.picture import Picture

# The subsystems without which nothing is forwarded.
_FORWARDING = frozenset({"link", "ipvs", "marks"})


def unready(
    held: Picture, failures: Collection[Failed], announced: frozenset[Address]
) -> frozenset[Address]:
    """The VIPs of *held* that must not be announced.

    A missing address, service, mark or policy keeps its own VIPs back; a table that can't be made keeps
    all. A setting that can't be written, or a subsystem that can't be looked at, keeps back only what is not
    *announced* yet: flows that work now would gain nothing from a withdrawal. A backend that can't be added,
    or anything that can't be removed, keeps nothing: the service forwards.
    """
    if not failures:
        return frozenset()
    owner = {key: vip for vip, tables in held.items() for key in tables.services}
    return frozenset(
        vip for failed in failures for vip in _kept_back(held, owner, failed, announced)
    )


def _kept_back(
    held: Picture,
    owner: Mapping[ServiceKey, Address],
    failed: Failed,
    announced: frozenset[Address],
) -> Iterable[Address]:
    match failed.step:
        case AcceptAddress(address=address) | AddVip(address=address):
            return (address,)
        case SetFlow(flow=flow):
            return (flow.vip,)
        case CreateService(service=service) | SetScheduler(service=service):
            return (owner[service],) if service in owner else ()
        case SetPolicy(mark=mark):
            return tuple(vip for key, vip in owner.items() if key.mark == mark)
        case ReplaceTable():
            return held
        case SetSysctl():
            return held.keys() - announced
        case None if failed.error.subsystem in _FORWARDING:
            return held.keys() - announced
        case _:
            return ()
