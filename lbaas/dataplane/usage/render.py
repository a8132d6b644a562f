"""The table as nftables commands.

A *generation* is a set of sets. From the moment that one takes over, packets are counted in it, and those of the one
before stand still: they can be read at leisure, whoever restarts meanwhile, and are then forgotten.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from lbaas.dataplane.usage.desired import (
    BUNDLES,
    BUNDLES_ROOM,
    FAMILY,
    NEW_AT_ONCE,
    NEW_PER_SECOND,
    ROOM,
    SINGLE,
    Kind,
    Meter,
    Tally,
)
from lbaas.dataplane.usage.series import Series, series
from lbaas.domain.addresses import Address
from lbaas.wire.usage import Point

# A node counts right before IPVS takes the packet (98): what others refuse, nobody pays for. A host counts behind its
# guard (-300), and what leaves, last of all.
_HOOKS = {
    Point.NODE: "hook input priority 90",
    Point.TUNNEL: "hook input priority -290",
    Point.REPLY: "hook postrouting priority 290",
}

_ADDRESS = {4: "ipv4_addr", 6: "ipv6_addr"}


def turn(meter: Meter, generation: int) -> str:
    """Commands after which the table counts in *generation*, whatever stood there: one transaction."""
    return "\n".join(
        (
            f"add table {_own(meter)}",
            *_address_sets(meter),
            *_counting_sets(meter, generation),
            *_chains(meter, generation),
        )
    )


def forget(meter: Meter, names: Iterable[Series]) -> str:
    """Commands after which the sets *names* are gone."""
    return "\n".join(f"delete set {_own(meter)} {name}" for name in names)


def remove(meter_table: str) -> str:
    """Commands after which nothing is counted."""
    return f"add table {FAMILY} {meter_table}\ndelete table {FAMILY} {meter_table}"


def _own(meter: Meter) -> str:
    return f"{FAMILY} {meter.table}"


def _address_sets(meter: Meter) -> Iterator[str]:
    for name, addresses in sorted(meter.addresses.items()):
        yield f"add set {_own(meter)} {name} {{ type {_ADDRESS[int(name[-1])]}; }}"
        yield from address_set(meter, name, addresses)


def address_set(meter: Meter, name: str, addresses: Iterable[Address]) -> Iterator[str]:
    """Commands after which the set holds just *addresses*."""
    yield f"flush set {_own(meter)} {name}"
    if text := ", ".join(map(str, addresses)):
        yield f"add element {_own(meter)} {name} {{ {text} }}"


def _counting_sets(meter: Meter, generation: int) -> Iterator[str]:
    for tally in meter.tallies:
        for name in series(tally, generation):
            yield f"add set {_own(meter)} {name} {{ {_counting(meter, tally, name)} }}"
        if tally.client:
            fresh = (
                f"typeof {tally.subject}; {_size(meter, ROOM)} flags dynamic,timeout; timeout 1m;"
            )
            yield f"add set {_own(meter)} {_fresh(tally)} {{ {fresh} }}"


def _counting(meter: Meter, tally: Tally, name: Series) -> str:
    key = tally.subject if name.bits is None else f"{tally.subject} . {tally.client}"
    room = ROOM if name.kind == SINGLE.name else BUNDLES_ROOM
    return f"typeof {key}; {_size(meter, room)} flags dynamic; counter;"


def _size(meter: Meter, room: int) -> str:
    """Of a size that is said the kernel allocates the buckets at once, 1 MB for ROOM; else it is 65,535, and they come
    as they are needed. Source: nft_rhash_init in net/netfilter/nft_set_hash.c, nft_dynset_init in nft_dynset.c."""
    return "" if meter.grows else f"size {room};"


def _chains(meter: Meter, generation: int) -> Iterator[str]:
    """Every chain is there before a rule names it; every one is filled anew."""
    chains = {**_hooked(meter), **_counting_chains(meter, generation)}
    points = {tally.point for tally in meter.tallies}
    for name in chains:
        hook = f" {{ type filter {_HOOKS[Point(name)]}; policy accept; }}" if name in points else ""
        yield f"add chain {_own(meter)} {name}{hook}"
    for name, rules in chains.items():
        yield f"flush chain {_own(meter)} {name}"
        yield from (f"add rule {_own(meter)} {name} {rule}" for rule in rules)


def _hooked(meter: Meter) -> dict[str, list[str]]:
    """One chain for both families, since each hook costs every packet."""
    rules: dict[str, list[str]] = {}
    for tally in meter.tallies:
        rules.setdefault(str(tally.point), []).extend(
            f"{_protocol(tally)} {match} goto {tally.name}_count" for match in tally.matches
        )
    return rules


def _counting_chains(meter: Meter, generation: int) -> dict[str, list[str]]:
    chains: dict[str, list[str]] = {}
    for tally in meter.tallies:
        chains[f"{tally.name}_count"] = [
            f"{_longer(tally, meter.longest)} goto {tally.name}_bundles",
            *_single(tally, generation),
        ]
        chains[f"{tally.name}_rest"] = [_count(tally, Series.rest(tally, SINGLE, generation))]
        chains[f"{tally.name}_bundles"] = list(_bundles(tally, generation))
    return chains


def _longer(tally: Tally, longest: int) -> str:
    """By the header, which costs less than ``meta length``. That of IPv6 does not count itself."""
    return f"@nh,16,16 > {longest}" if tally.family == 4 else f"@nh,32,16 > {longest - 40}"


def _protocol(tally: Tally) -> str:
    return f"meta nfproto ipv{tally.family}"


def _single(tally: Tally, generation: int) -> Iterator[str]:
    """Whose prefix is known is counted by the look-up itself (Linux 5.7 and later)."""
    if tally.client:
        name = Series.clients(tally, SINGLE, generation)
        yield f"{_key(tally, name)} @{name} return"
        yield from _foreign(tally)
        limit = f"limit rate over {NEW_PER_SECOND}/second burst {NEW_AT_ONCE} packets"
        yield f"update @{_fresh(tally)} {{ {tally.subject} {limit} }} goto {tally.name}_rest"
        yield f"add @{name} {{ {_key(tally, name)} }} return"
    yield f"goto {tally.name}_rest"


def _bundles(tally: Tally, generation: int) -> Iterator[str]:
    yield from _foreign(tally)
    for kind in BUNDLES:
        for name in _of_kind(tally, kind, generation):
            yield f"{kind.condition} {_count(tally, name)} return".lstrip()


def _foreign(tally: Tally) -> Iterator[str]:
    if tally.foreign:
        yield f"{tally.foreign} return"


def _of_kind(tally: Tally, kind: Kind, generation: int) -> Iterator[Series]:
    """Where the first has no room, the second counts."""
    return (name for name in series(tally, generation) if name.kind == kind.name)


def _count(tally: Tally, name: Series) -> str:
    return f"update @{name} {{ {_key(tally, name)} }}"


def _key(tally: Tally, name: Series) -> str:
    if name.bits is None:
        return tally.subject
    return f"{tally.subject} . {tally.client} & {_mask(tally.family, name.bits)}"


def _mask(family: int, bits: int) -> str:
    network = IPv4Network if family == 4 else IPv6Network
    return f"{int(network((0, bits)).netmask):#x}"


def _fresh(tally: Tally) -> str:
    return f"{tally.name}_fresh"
