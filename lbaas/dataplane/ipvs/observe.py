"""The services that the kernel holds."""

from pathlib import Path

from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey, ServiceTable
from lbaas.dataplane.ipvs.listing import Listed, parse
from lbaas.dataplane.ipvs.netlink import DestinationEntry, IpvsSocket, Method, ServiceEntry
from lbaas.domain.terms import Forwarding
from lbaas.wire.state import MarkRange

LISTING = Path("/proc/net/ip_vs")

_FORWARDING: dict[int, Forwarding] = {
    Method.TUNNEL: Forwarding.TUNNEL,
    Method.DIRECT: Forwarding.DIRECT,
}


def observe(ipvs: IpvsSocket, marks: MarkRange) -> ServiceTable:
    """Our services: those keyed by a mark in *marks*. Others are not ours and not shown."""
    entries = [entry for entry in ipvs.services() if entry.mark is not None]
    listed = list(parse(LISTING.read_bytes()))
    if not _agree(entries, listed):
        # Somebody changed services between the two reads.
        return _one_by_one(ipvs, entries, marks)
    return {
        ServiceKey(entry.family, each.mark): Service(
            entry.scheduler, entry.flags, each.destinations
        )
        for entry, each in zip(entries, listed, strict=True)
        if each.mark in marks
    }


def _agree(entries: list[ServiceEntry], listed: list[Listed]) -> bool:
    """True if both tell of the same services, in the same order."""
    return [(entry.mark, entry.scheduler) for entry in entries] == [
        (each.mark, each.scheduler) for each in listed
    ] and all(
        destination.address.version == entry.family
        for entry, each in zip(entries, listed, strict=True)
        for destination in each.destinations[:1]
    )


def _one_by_one(ipvs: IpvsSocket, entries: list[ServiceEntry], marks: MarkRange) -> ServiceTable:
    return {
        ServiceKey(entry.family, entry.mark): Service(
            entry.scheduler,
            entry.flags,
            # The kernel lists the newest first.
            tuple(
                _destination(each) for each in reversed(ipvs.destinations(entry.family, entry.mark))
            ),
        )
        for entry in entries
        if entry.mark is not None and entry.mark in marks
    }


def _destination(entry: DestinationEntry) -> Destination:
    return Destination(entry.address, _FORWARDING.get(entry.method), entry.weight)
