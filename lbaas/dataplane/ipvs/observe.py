"""The services that the kernel holds."""

from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey, ServiceTable
from lbaas.dataplane.ipvs.netlink import DestinationEntry, IpvsSocket, Method
from lbaas.domain.terms import Forwarding
from lbaas.wire.state import MarkRange

_FORWARDING: dict[int, Forwarding] = {
    Method.TUNNEL: Forwarding.TUNNEL,
    Method.DIRECT: Forwarding.DIRECT,
}


def observe(ipvs: IpvsSocket, marks: MarkRange) -> ServiceTable:
    """Our services: those keyed by a mark in *marks*. Others are not ours and not shown."""
    return {
        ServiceKey(entry.family, entry.mark): Service(
            entry.scheduler,
            entry.flags,
            # The kernel lists the newest first.
            tuple(
                _destination(each) for each in reversed(ipvs.destinations(entry.family, entry.mark))
            ),
        )
        for entry in ipvs.services()
        if entry.mark is not None and entry.mark in marks
    }


def _destination(entry: DestinationEntry) -> Destination:
    return Destination(entry.address, _FORWARDING.get(entry.method), entry.weight)
