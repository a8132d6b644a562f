"""What flowed in a period, as a report will say it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from itertools import chain
from typing import TypeAlias, TypeVar
from uuid import UUID

from lbaas.dataplane.usage.reading import Reading
from lbaas.domain.addresses import Prefix
from lbaas.wire.state import Document
from lbaas.wire.usage import Counted, CountedPrefix, Point, UsageReport

# So many prefixes of a VIP at a point, and so many in all, are told apart: those with the most bytes.
PREFIXES_OF_VIP, PREFIXES = 4096, 20_000


class Period(Document):
    """A report that has no number yet: as long as nobody was sent it, it may still be merged with others."""

    begun_s: int
    ended_s: int
    totals: tuple[Counted, ...] = ()
    prefixes: tuple[CountedPrefix, ...] = ()
    merged: int = 0
    resets: int = 0

    def numbered(self, meter: UUID, sequence: int) -> UsageReport:
        """The report, for good."""
        return UsageReport(
            meter=meter,
            sequence=sequence,
            begun_s=self.begun_s,
            ended_s=self.ended_s,
            totals=self.totals,
            prefixes=self.prefixes,
            merged=self.merged,
            resets=self.resets,
        )


@dataclass(frozen=True, slots=True)
class Named:
    """Whose a subject's counts are."""

    vip: UUID
    listener: UUID | None = None


# By mark or address, as the kernel has them in its keys.
Names: TypeAlias = Mapping[bytes, Named]


@dataclass(slots=True)
class _Sum:
    packets: int = 0
    size: int = 0
    connections: int = 0

    def add(self, packets: int, size: int, connections: int = 0) -> None:
        self.packets += packets
        self.size += size
        self.connections += connections


@dataclass
class Sums:
    """Counts added up by who pays. *unnamed* packets are nobody's that we know."""

    totals: dict[tuple[Point, UUID, UUID | None], _Sum] = field(default_factory=dict)
    prefixes: dict[tuple[Point, UUID], dict[tuple[bytes, int], _Sum]] = field(default_factory=dict)
    unnamed: int = 0

    def enter(self, reading: Reading, names: Names) -> None:
        """The reading is part of the sums."""
        named = names.get(reading.subject)
        if named is None:
            self.unnamed += reading.packets
            return
        key = reading.point, named.vip, named.listener
        _of(self.totals, key).add(reading.packets, reading.size)
        if reading.point is not Point.TUNNEL:  # which counts no prefixes
            prefixes = self.prefixes.setdefault((reading.point, named.vip), {})
            client = (reading.client, reading.bits) if reading.client else _OTHERS
            _of(prefixes, client).add(reading.packets, reading.size)

    def enter_connections(self, opened: Mapping[bytes, int], names: Names) -> None:
        """Connections that a node opened, by mark, are part of the sums."""
        for subject, connections in opened.items():
            if connections and (named := names.get(subject)):
                _of(self.totals, (Point.NODE, named.vip, named.listener)).add(0, 0, connections)

    def period(self, begun_s: int, ended_s: int, resets: int) -> Period:
        """All that was entered. The prefixes of a VIP at a point add up to its totals there."""
        return Period(
            begun_s=begun_s,
            ended_s=max(begun_s, ended_s),
            totals=tuple(_counted(self.totals)),
            prefixes=tuple(_kept(chain.from_iterable(map(_largest, self.prefixes.items())))),
            resets=resets,
        )


_OTHERS = b"", 0

_K = TypeVar("_K")


def _of(sums: dict[_K, _Sum], key: _K) -> _Sum:
    found = sums.get(key)
    if found is None:
        found = sums[key] = _Sum()
    return found


def _counted(totals: Mapping[tuple[Point, UUID, UUID | None], _Sum]) -> Iterator[Counted]:
    for (point, vip, listener), each in totals.items():
        yield Counted(
            point=point,
            vip=vip,
            listener=listener,
            packets=each.packets,
            bytes=each.size,
            connections=each.connections,
        )


def _largest(
    of: tuple[tuple[Point, UUID], Mapping[tuple[bytes, int], _Sum]],
) -> Iterator[CountedPrefix]:
    (point, vip), sums = of
    clients = [client for client in sums if client != _OTHERS]
    clients.sort(key=lambda client: -sums[client].size)
    for client in clients[:PREFIXES_OF_VIP]:
        yield _prefix(point, vip, _network(*client), sums[client])
    others = _Sum()
    for client in (*clients[PREFIXES_OF_VIP:], *({_OTHERS} & sums.keys())):
        others.add(sums[client].packets, sums[client].size)
    if others.packets:
        yield _prefix(point, vip, None, others)


def _prefix(point: Point, vip: UUID, prefix: Prefix | None, of: _Sum) -> CountedPrefix:
    return CountedPrefix(point=point, vip=vip, prefix=prefix, packets=of.packets, bytes=of.size)


def _network(client: bytes, bits: int) -> Prefix:
    return IPv4Network((client, bits)) if len(client) == 4 else IPv6Network((client, bits))


def _kept(counts: Iterable[CountedPrefix]) -> Iterator[CountedPrefix]:
    """All of them if they are not too many; else the largest, and of each VIP at each point one for the others."""
    found = list(counts)
    if len(found) <= PREFIXES:
        yield from found
        return
    found.sort(key=lambda each: (each.prefix is None, -each.bytes))
    yield from found[:PREFIXES]
    others: dict[tuple[Point, UUID], _Sum] = {}
    for each in found[PREFIXES:]:
        _of(others, (each.point, each.vip)).add(each.packets, each.bytes)
    for (point, vip), rest in others.items():
        yield _prefix(point, vip, None, rest)


def merged(periods: Iterable[Period]) -> Period:
    """One period with the sums of all, from the first one's begin to the last one's end."""
    every = list(periods)
    totals: dict[tuple[Point, UUID, UUID | None], _Sum] = {}
    prefixes: dict[tuple[Point, UUID, Prefix | None], _Sum] = {}
    for period in every:
        for total in period.totals:
            key = total.point, total.vip, total.listener
            _of(totals, key).add(total.packets, total.bytes, total.connections)
        for each in period.prefixes:
            _of(prefixes, (each.point, each.vip, each.prefix)).add(each.packets, each.bytes)
    counts = (_prefix(point, vip, prefix, of) for (point, vip, prefix), of in prefixes.items())
    return Period(
        begun_s=min(period.begun_s for period in every),
        ended_s=max(period.ended_s for period in every),
        totals=tuple(_counted(totals)),
        prefixes=tuple(_kept(counts)),
        merged=sum(period.merged or 1 for period in every),
        resets=sum(period.resets for period in every),
    )
