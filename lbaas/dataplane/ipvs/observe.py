"""The services that the kernel holds."""

from collections.abc import Iterable
from pathlib import Path

from lbaas.dataplane.ipvs.connections import ConnectionTable, SyncDaemon
from lbaas.dataplane.ipvs.desired import (
    PERSISTENT,
    UNLISTED_TUNNELS,
    Destination,
    Persistence,
    Service,
    ServiceKey,
    ServiceTable,
)
from lbaas.dataplane.ipvs.listing import Listed, parse
from lbaas.dataplane.ipvs.netlink import (
    DestinationEntry,
    IpvsSocket,
    Method,
    ServiceEntry,
    TunnelType,
)
from lbaas.domain.terms import Encapsulation, Forwarding
from lbaas.wire.state import MarkRange, Timeouts

LISTING = Path("/proc/net/ip_vs")

_FORWARDING: dict[int, Forwarding] = {
    Method.TUNNEL: Forwarding.TUNNEL,
    Method.DIRECT: Forwarding.DIRECT,
}
_ENCAPSULATION: dict[int, Encapsulation] = {
    TunnelType.IPIP: Encapsulation.IPIP,
    TunnelType.GUE: Encapsulation.GUE,
    TunnelType.GRE: Encapsulation.GRE,
}


def observe(ipvs: IpvsSocket, marks: MarkRange) -> ServiceTable:
    """Our services: those keyed by a mark in *marks*. Others are not ours and not shown.

    The listing tells no tunnel from another: those of a service that is not flagged as having such are
    taken to be IP in IP. ``closely`` sees them.
    """
    return observe_among(ipvs, ipvs.services(), marks)


def observe_among(
    ipvs: IpvsSocket, services: Iterable[ServiceEntry], marks: MarkRange
) -> ServiceTable:
    """As ``observe``, where *services* are all that the kernel has just listed."""
    entries = [entry for entry in services if entry.mark is not None]
    listed = list(parse(LISTING.read_bytes()))
    if not _agree(entries, listed):
        # Somebody changed services between the two reads.
        return closely(ipvs, entries, marks)
    unlisted = [entry for entry in entries if entry.flags & UNLISTED_TUNNELS]
    return {
        ServiceKey(entry.family, each.mark): _service(entry, each.destinations)
        for entry, each in zip(entries, listed, strict=True)
        if each.mark in marks
    } | closely(ipvs, unlisted, marks)


def observe_connections(ipvs: IpvsSocket) -> ConnectionTable:
    """Timeouts and daemons as they are. A namespace has one set, whoever set them."""
    tcp_s, tcp_fin_s, udp_s = ipvs.timeouts()
    return ConnectionTable(
        # Zero stands for what no setting of ours is.
        Timeouts.model_construct(tcp_s=tcp_s, tcp_fin_s=tcp_fin_s, udp_s=udp_s),
        frozenset(SyncDaemon(*each) for each in ipvs.daemons()),
    )


def closely(ipvs: IpvsSocket, entries: Iterable[ServiceEntry], marks: MarkRange) -> ServiceTable:
    """Those of *entries* that are ours, their destinations asked for one by one, with their tunnels."""
    return {
        ServiceKey(entry.family, entry.mark): _service(
            entry,
            # The kernel lists the newest first.
            tuple(
                _destination(each) for each in reversed(ipvs.destinations(entry.family, entry.mark))
            ),
        )
        for entry in entries
        if entry.mark is not None and entry.mark in marks
    }


def _agree(entries: list[ServiceEntry], listed: list[Listed]) -> bool:
    """True if both tell of the same services, in the same order."""
    return [(entry.mark, entry.scheduler) for entry in entries] == [
        (each.mark, each.scheduler) for each in listed
    ]


def _service(entry: ServiceEntry, destinations: tuple[Destination, ...]) -> Service:
    persistence = Persistence(entry.timeout_s, entry.prefix) if entry.flags & PERSISTENT else None
    return Service(entry.scheduler, entry.flags & ~PERSISTENT, destinations, persistence)


def _destination(entry: DestinationEntry) -> Destination:
    """A tunnel of a type that we don't know, or with flags, is a method that is not ours."""
    forwarding = _FORWARDING.get(entry.method)
    if forwarding is not Forwarding.TUNNEL:
        return Destination(entry.address, forwarding, entry.weight)
    encapsulation = _ENCAPSULATION.get(entry.tunnel_type)
    if encapsulation is None or entry.tunnel_flags:
        return Destination(entry.address, None, entry.weight)
    return Destination(entry.address, forwarding, entry.weight, encapsulation, entry.tunnel_port)
