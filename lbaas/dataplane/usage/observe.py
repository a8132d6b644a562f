"""What was counted."""

from collections.abc import Iterator

from lbaas.dataplane.nfnetlink import INET, NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage.desired import FAMILY, KINDS, on_the_wire
from lbaas.dataplane.usage.reading import Reading
from lbaas.dataplane.usage.series import Series, parse
from lbaas.wire.usage import Point

# Behind a mark, or an address of each family, stands the client's prefix.
_SUBJECT_BYTES = {Point.NODE: {4: 4, 6: 4}, Point.TUNNEL: {4: 4, 6: 16}, Point.REPLY: {4: 4, 6: 16}}


def held(netfilter: NfSocket, table: str) -> list[Series]:
    """All series that the table has, the oldest first."""
    return sorted(parse(netfilter.sets(INET, table)), key=lambda each: each.generation)


def structure(nft: Nft, table: str) -> str | None:
    """The table's sets, chains and rules; None if there is no such table."""
    return nft.structure(FAMILY, table)


def read(netfilter: NfSocket, table: str, name: Series) -> Iterator[Reading]:
    """All counts of a series."""
    width = _SUBJECT_BYTES[name.point][name.family]
    for each in netfilter.counters(INET, table, str(name)):
        packets, size = on_the_wire(KINDS[name.kind], name.family, each.packets, each.size)
        subject, client = each.key[:width], each.key[width:]
        yield Reading(name.point, subject, client, name.bits or 0, packets, size)
