"""What this node shall hold, by VIP, brought from one state to the next at the cost of what differs."""

import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from lbaas.domain.addresses import Address
from lbaas.node_agent.locality import localized
from lbaas.node_agent.picture import Change, Picture, VipTables, picture, services, united
from lbaas.node_agent.removal import Leave, RemovalGuard
from lbaas.node_agent.retiring import Retiring
from lbaas.node_agent.view import View
from lbaas.wire.reading import ClusterParts
from lbaas.wire.state import MarkRange

# So many VIPs are read together: enough to be quick, few enough to be small.
_AT_ONCE = 500

# For those who ask nobody.
_ALL = Leave(100, None, MarkRange(first=1, last=0xFFFFFFFF))


class Wanted:
    """*picture* is all that the node shall hold: retiring VIPs included, and what *guard* keeps."""

    def __init__(self, view: View, clock: Callable[[], float] = time.monotonic) -> None:
        self.picture: dict[Address, VipTables] = {}
        self._view = view
        self._clock = clock
        self._parts: ClusterParts | None = None
        self._vip_of: dict[str, Address] = {}
        self._key_of: dict[Address, str] = {}
        self._retiring = Retiring()
        self.guard = RemovalGuard()
        self._kept: frozenset[Address] = frozenset()
        self._local: set[str] = set()
        self._places: tuple[str, frozenset[str]] = ("", frozenset())

    @property
    def pending(self) -> bool:
        """True while something is held that the state does not want."""
        return self._retiring.pending

    def turn_to(
        self,
        parts: ClusterParts,
        reviewed: Iterable[Address],
        leave: Leave = _ALL,
        here: str = "",
    ) -> Change:
        """*picture* is what *parts* wants of the node named *here* by the view's word; what that changed.

        The view is asked about VIPs that differ from the last state, about *reviewed*, and about those
        whose retirement is over. VIPs that lose services keep what they have if *leave* does not cover it.
        """
        now_s = self._clock()
        keys = set(parts.vips() if self._parts is None else parts.differing(self._parts))
        keys |= self._displaced(parts, here)
        again = {*reviewed, *self._retiring.expired(now_s), *self._kept}
        vips = {self._vip_of[key] for key in keys if key in self._vip_of} | again
        keys |= {self._key_of[vip] for vip in again if vip in self._key_of}
        wanted: dict[Address, VipTables] = {}
        for some in _batches(keys):
            wanted |= self._read(parts, some)
        vips |= wanted.keys()
        self._view(parts.bare, frozenset(vips - wanted.keys()))
        self._parts = parts
        wanted |= self._keep(vips, wanted, leave)
        return self._hold(vips, wanted, now_s)

    def _displaced(self, parts: ClusterParts, here: str) -> AbstractSet[str]:
        """The keys of local VIPs, if the cluster has other nodes by now, or this one another name."""
        places = here, frozenset(node.name for node in parts.bare.nodes.values())
        before, self._places = self._places, places
        return frozenset() if places == before else frozenset(self._local)

    def _read(self, parts: ClusterParts, keys: Iterable[str]) -> Picture:
        """What the VIPs of *keys* shall be; under which keys they are is noted."""
        found = {key: vip for key in keys if (vip := parts.vip(key)) is not None}
        for key in keys:
            if key in self._vip_of:
                self._key_of.pop(self._vip_of.pop(key), None)
        for key, vip in found.items():
            self._vip_of[key] = vip.address
            self._key_of[vip.address] = key
        local = {key for key, vip in found.items() if any(each.local for each in vip.listeners)}
        self._local.difference_update(keys)
        self._local |= local
        part = localized(parts.part(found.values()), self._places[0])
        return picture(self._view(part, frozenset(part.vips)))

    def _keep(self, vips: AbstractSet[Address], wanted: Picture, leave: Leave) -> Picture:
        """What the guard keeps as it is, with what is new beside it."""
        losing = {vip: old for vip in vips if (old := self._losing(vip, wanted, leave)) is not None}
        gone = services(losing).keys() - services(wanted).keys()
        removed = leave.counted(gone)
        revision = 0 if self._parts is None else self._parts.revision
        of = len(leave.counted(services(self.picture))) if removed else 0
        if not self.guard.holds(removed, of, revision, leave):
            self._kept = frozenset()
            return {}
        self._kept = frozenset(losing)
        return {vip: united(old, wanted.get(vip, old), old.prefix) for vip, old in losing.items()}

    def _losing(self, vip: Address, wanted: Picture, leave: Leave) -> VipTables | None:
        """What the VIP has, if it would lose a service. A VIP that retires has lost them already."""
        old = self.picture.get(vip)
        if old is None or old.prefix is None:
            return None
        left = wanted[vip].services.keys() if vip in wanted else frozenset()
        return None if leave.counted(old.services) <= left else old

    def _hold(self, vips: AbstractSet[Address], wanted: Picture, now_s: float) -> Change:
        after = self._retiring.held(self.picture, vips, wanted, now_s)
        before = {vip: self.picture[vip] for vip in vips | after.keys() if vip in self.picture}
        for vip in before:
            del self.picture[vip]
        self.picture |= after
        return Change(
            {vip: old for vip, old in before.items() if after.get(vip) != old},
            {vip: new for vip, new in after.items() if before.get(vip) != new},
        )


def _batches(keys: AbstractSet[str]) -> Iterator[list[str]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
