"""Which routers do not hear of all that this node should announce to them: read back from BIRD, peer by peer."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl
from lbaas.dataplane.bird.desired import Announcement, peer_protocol
from lbaas.dataplane.bird.sessions import counted, exported, prefixes, sessions
from lbaas.domain.addresses import Address, address_key
from lbaas.wire.report import Unheard

# As many VIPs are named; a report should not grow with what is wrong.
_NAMED = 20


@dataclass(frozen=True)
class Heard:
    """The peers that are not told of all that they should be, and those with whom BFD should run and is not up."""

    unheard: tuple[Unheard, ...] = ()
    without_bfd: tuple[Address, ...] = ()


def heard(control: Path, wanted: Announcement) -> Heard:
    """What BIRD says of each of *wanted*'s peers. Raises BirdUnavailable."""
    with closing(BirdControl(control)) as bird:
        return Heard(tuple(lacking(bird, wanted)), tuple(without_bfd(bird, wanted)))


def lacking(bird: BirdControl, wanted: Announcement) -> Iterator[Unheard]:
    """One for each peer that BIRD does not tell of all that *wanted* says."""
    for peer in wanted.peers:
        due = [each for each in wanted.prefixes if each.version == peer.address.version]
        told = exported(peer_protocol(peer.address))
        count = counted(bird, told)
        if count is None and due:
            yield Unheard(
                peer=peer.address, missing=len(due), cause="no BGP session is established"
            )
        elif count is not None and count < len(due):
            gone = frozenset(due) - prefixes(bird, told)
            if gone:  # else it has told of the rest meanwhile
                vips = sorted((each.network_address for each in gone), key=address_key)
                yield _untold(peer.address, len(due), vips)


def without_bfd(bird: BirdControl, wanted: Announcement) -> Iterator[Address]:
    """The peers with whom BFD should run and is not up."""
    states = sessions(bird).bfd
    return (peer.address for peer in wanted.peers if peer.bfd and states.get(peer.address) != "Up")


def _untold(peer: Address, due: int, vips: list[Address]) -> Unheard:
    return Unheard(
        peer=peer,
        missing=len(vips),
        vips=tuple(vips[:_NAMED]) if len(vips) < due else (),
        cause="BIRD does not export them to it: see `birdc show protocols all`",
    )
