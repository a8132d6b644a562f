"""Which packets are counted, and under which keys.

A *tally* counts one family at one point of the packet's way: by its subject (a listener's mark, or a VIP) and the
client's prefix. Where there is no room for another prefix, by the subject alone. Each packet is counted under one
key, so the counts of a subject add up to all that flowed.

Decision record: metering.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from lbaas.domain.addresses import Address
from lbaas.wire.state import MarkRange
from lbaas.wire.usage import Point

FAMILY = "inet"
# Two tables, since one machine may be a node and a backend host.
NODE_TABLE, HOST_TABLE = "lbaas_usage", "lbaas_host_usage"

# So many prefixes are counted apart, for each family and kind.
ROOM = 65536
BUNDLES_ROOM = 16384

# Of one subject, so many prefixes may be new at once, and then so many a second: a flood from forged sources
# at one VIP must not take the room of all others.
NEW_AT_ONCE, NEW_PER_SECOND = 4096, 50

# The longest packet that is sure to be one: clients come over the Internet, where nothing longer passes.
LONGEST = 1500

_IP_HEADER = {4: 20, 6: 40}


@dataclass(frozen=True, slots=True)
class Kind:
    """Packets that are counted apart. *condition* tells them; *header* is what each has behind that of IP."""

    name: str
    condition: str
    header: int


SINGLE = Kind("single", "", 0)

# The kernel hands on many segments of one flow as one long packet (GRO as they come, TSO and GSO as they go; a long
# datagram is cut up later). nftables sees a single header; how long it is follows from the kind.
BUNDLES = (
    Kind("stamped", "tcp doff > 5", 32),  # TCP with timestamps: what most systems speak
    Kind("plain", "meta l4proto 6", 20),
    Kind("datagram", "", 8),
)
KINDS = {kind.name: kind for kind in (SINGLE, *BUNDLES)}


def on_the_wire(
    kind: Kind, family: int, packets: int, size: int, longest: int = LONGEST
) -> tuple[int, int]:
    """How many packets, and bytes with their IP headers, *packets* of *kind* with *size* bytes were on the wire.

    Segments are taken to be as long as may be: who sends many at once has enough to fill them.
    """
    if kind is SINGLE:
        return packets, size
    header = _IP_HEADER[family] + kind.header
    payload = max(0, size - packets * header)
    segments = max(packets, -(-payload // (longest - header)))
    return segments, payload + segments * header


@dataclass(frozen=True)
class Tally:
    """What is counted of *family* at *point*: packets that fulfil one of *matches*, but *foreign* ones.

    Whether a packet is foreign must follow from its key: only the first under a key is asked. *subject* and *client*
    are nftables' expressions; *client* is counted by prefixes of *bits*, or not at all.
    """

    point: Point
    family: int
    matches: tuple[str, ...]
    subject: str
    client: str | None = None
    bits: int = 0
    foreign: str = ""

    @property
    def name(self) -> str:
        return f"{self.point}{self.family}"


@dataclass(frozen=True)
class Meter:
    """A table's tallies. *addresses* are sets that their matches look into; packets over *longest* are bundles.

    The sets of one that *grows* begin small; those of others have all their room from the start, megabytes of it.
    """

    table: str
    tallies: tuple[Tally, ...]
    addresses: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    longest: int = LONGEST
    grows: bool = False


# By family, the length of the prefixes that clients are counted by.
Bits = Mapping[int, int]

USUAL_BITS: Bits = {4: 24, 6: 48}

_IP = {4: "ip", 6: "ip6"}

# The addresses by their place in the header: by name, each rule would ask for the family again.
_SOURCE = {4: "@nh,96,32", 6: "@nh,64,128"}
_DESTINATION = {4: "@nh,128,32", 6: "@nh,192,128"}


def node_meter(marks: MarkRange, bits: Bits) -> Meter:
    """At a node: what IPVS is about to take, by mark."""
    return Meter(
        NODE_TABLE,
        tuple(
            Tally(
                Point.NODE,
                family,
                ("meta mark != 0",),
                "meta mark",
                _SOURCE[family],
                bits[family],
                foreign=f"meta mark != {marks.first:#x}-{marks.last:#x}",
            )
            for family in _IP
        ),
    )


# Tunnels' devices, as the guard knows them (lbaas.dataplane.guard).
_TUNNELS = 'iifname { "lbtun4", "lbtun6", "lbgre4", "lbgre6" }'


# The set of what no VIP is.
_NODES = "nodes"


@dataclass(frozen=True)
class HostAddresses:
    """A backend host's VIPs, those of them whose packets come in no tunnel, and the nodes that send to it."""

    vips: tuple[Address, ...] = ()
    direct: tuple[Address, ...] = ()
    nodes: tuple[Address, ...] = ()


def host_meter(known: HostAddresses, bits: Bits) -> Meter:
    """At a backend host: what came for its VIPs, and what left in their name.

    What nodes ask and are answered are probes: nobody's traffic.
    """
    return Meter(
        HOST_TABLE,
        tuple(
            tally
            for family, ip in _IP.items()
            for tally in (
                Tally(Point.TUNNEL, family, _received(family), _DESTINATION[family]),
                Tally(
                    Point.REPLY,
                    family,
                    (f'oifname != "lo" {ip} saddr @vips{family} {ip} daddr != @nodes{family}',),
                    _SOURCE[family],
                    _DESTINATION[family],
                    bits[family],
                ),
            )
        ),
        {
            f"{name}{family}": tuple(each for each in addresses if each.version == family)
            for name, addresses in (
                ("vips", known.vips),
                (_NODES, known.nodes),
                ("direct", known.direct),
            )
            for family in _IP
        },
    )


def narrowed(meter: Meter, vips: Container[Address] | None) -> Meter:
    """A host's *meter* for one place of many, to which of its VIPs only *vips* come; None: for the only one."""
    if vips is None:
        return meter
    known = {
        name: addresses
        if name.startswith(_NODES)
        else tuple(each for each in addresses if each in vips)
        for name, addresses in meter.addresses.items()
    }
    return replace(meter, addresses=known, grows=True)


def _received(family: int) -> tuple[str, ...]:
    client = f"{_IP[family]} saddr != @nodes{family}"
    ways = [_TUNNELS, f'iifname != "lo" {_IP[family]} daddr @direct{family}']
    if family == 6:
        ways.append('iifname "lbsit*"')
    return tuple(f"{way} {client}" for way in ways)
