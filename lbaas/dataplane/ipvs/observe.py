"""The services that the kernel holds."""

from collections.abc import Callable, Iterable
from itertools import zip_longest
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
    return observe_among(ipvs, ipvs.services, marks)


def observe_among(
    ipvs: IpvsSocket, services: Callable[[], Iterable[ServiceEntry]], marks: MarkRange
) -> ServiceTable:
    """As ``observe``, where *services* lists all that the kernel has."""
    found: ServiceTable = {}
    unlisted: list[ServiceEntry] = []
    keyed = (entry for entry in services() if entry.mark is not None)
    for entry, each in zip_longest(keyed, parse(_listing())):
        if entry is None or each is None or not _agree(entry, each):
            # Somebody changed services between the two reads.
            return closely(ipvs, services(), marks)
        if each.mark in marks:
            found[ServiceKey(entry.family, each.mark)] = _service(entry, each.destinations)
            if entry.flags & UNLISTED_TUNNELS:
                unlisted.append(entry)
    return found | closely(ipvs, unlisted, marks)


# The kernel lets nobody else run within a call: a megabyte of text is 20 ms.
_AT_ONCE = 1 << 16


def _listing() -> bytes:
    with LISTING.open("rb", buffering=0) as opened:
        return b"".join(iter(lambda: opened.read(_AT_ONCE), b""))


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


def _agree(entry: ServiceEntry, listed: Listed) -> bool:
    """True if both tell of the same service."""
    return (entry.mark, entry.scheduler) == (listed.mark, listed.scheduler)


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
