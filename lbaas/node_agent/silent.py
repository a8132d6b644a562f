"""Members that seem to answer nobody, by the states in which IPVS keeps flows: a hint, from which nothing follows.

Under DSR a node sees the clients' packets only. But a client that is answered says more than SYN. So where several
flows to a member stay at SYN, while others' flows to the same VIP and port go on, clients hear nothing of that member.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from lbaas.dataplane.ipvs.flows import LISTING, Flow, parse, place_of
from lbaas.domain.addresses import Address
from lbaas.wire.report import Silent

# Fewer may be chance: a client that went away, a flow whose second packet is on its way.
_SEVERAL = 5

# Some 80,000 flows, of which each costs a microsecond in every audit.
_MOST_BYTES = 8 << 20


def silent(vips: Collection[Address], listing: Path = LISTING) -> tuple[Silent, ...]:
    """The members of *vips* that seem to answer nobody; none where the node has too many flows to look through."""
    with listing.open("rb") as opened:
        text = opened.read(_MOST_BYTES)
    if len(text) == _MOST_BYTES:
        return ()
    return tuple(each for each in judged(parse(text)) if each.vip in vips)


def judged(flows: Iterable[Flow]) -> list[Silent]:
    """Of each VIP and port where somebody is heard, the members that have several flows of which none has begun."""
    waiting: Counter[bytes] = Counter()
    heard: set[bytes] = set()
    for place, begun in flows:
        if begun:
            heard.add(place)
        else:
            waiting[place] += 1
    served = {_door(place) for place in heard}
    return [
        Silent(**place_of(place)._asdict())
        for place in sorted(waiting.keys() - heard)
        if waiting[place] >= _SEVERAL and _door(place) in served
    ]


def _door(place: bytes) -> bytes:
    """VIP and port of a flow's place."""
    return place.rpartition(b" ")[0]
