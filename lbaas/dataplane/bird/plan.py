"""Whether BIRD must be configured anew."""

from dataclasses import dataclass
from functools import cached_property

from lbaas.dataplane.bird.desired import Announcement, declared, declared_count, peer_protocol
from lbaas.dataplane.steps import Plan
from lbaas.domain.addresses import Address, Prefix


@dataclass(frozen=True)
class Observed:
    """The include file's text, None if there is none, and what BIRD has in its tables by our protocols.

    *whole*: the prefixes of that very text, which nobody had to list. Else *listed* are the prefixes, None while
    BIRD does not answer; *running* then tells whether anything listens at all. *established* are the names of the
    protocols whose BGP session stands.
    """

    text: str | None
    listed: frozenset[Prefix] | None
    whole: bool = False
    running: bool = True
    established: frozenset[str] = frozenset()

    @cached_property
    def loaded(self) -> frozenset[Prefix] | None:
        """The prefixes of our protocols in BIRD's tables; None while it does not answer."""
        if self.whole and self.text is not None:
            return frozenset(declared(self.text))
        return self.listed

    @property
    def answered(self) -> bool:
        """False where nobody knows what BIRD has in its tables."""
        return self.whole or self.listed is not None

    @property
    def announces(self) -> bool:
        """True if BIRD has prefixes of ours; one that runs and does not answer may."""
        if self.whole and self.text is not None:
            return declared_count(self.text) > 0
        return self.running if self.listed is None else bool(self.listed)


@dataclass(frozen=True)
class Configure:
    """The include file holds *text* and BIRD runs with it."""

    text: str

    @property
    def key(self) -> str:
        return "include file"


def plan(observed: Observed, desired: Announcement) -> Plan[Configure]:
    """One step or none: the whole set is declared, never one route up or down."""
    if _runs_with(observed, desired) or (
        (observed.text, observed.listed) == (desired.text, desired.prefixes)
    ):
        return Plan()
    return Plan(establish=(Configure(desired.text),))


def _runs_with(observed: Observed, desired: Announcement) -> bool:
    return observed.whole and observed.text == desired.text


def lingering(observed: Observed, desired: Announcement) -> bool:
    """True if routers may still send us packets for a prefix that is no longer announced.

    What such packets need must stay. A BIRD that does not run announces nothing; one that hangs may.
    """
    if _runs_with(observed, desired):
        return False
    if observed.loaded is None:
        return observed.running
    return not observed.loaded <= desired.prefixes


def unheard(observed: Observed, desired: Announcement) -> frozenset[int]:
    """The address families in which something is announced and no router hears it."""
    heard = {address.version for address in sessions(observed, desired)}
    return frozenset({prefix.version for prefix in desired.prefixes} - heard)


def sessions(observed: Observed, desired: Announcement) -> tuple[Address, ...]:
    """The peers with whom a BGP session stands."""
    peers = (peer.address for peer in desired.peers)
    return tuple(each for each in peers if peer_protocol(each) in observed.established)
