"""What this node shall hold, by VIP, brought from one state to the next at the cost of what differs."""

import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from lbaas.domain.addresses import Address
from lbaas.node_agent.picture import Change, Picture, VipTables, picture
from lbaas.node_agent.retiring import Retiring
from lbaas.node_agent.view import View
from lbaas.wire.reading import ClusterParts

# So many VIPs are read together: enough to be quick, few enough to be small.
_AT_ONCE = 500


class Wanted:
    """*picture* is all that the node shall hold, retiring VIPs included."""

    def __init__(self, view: View, clock: Callable[[], float] = time.monotonic) -> None:
        self.picture: dict[Address, VipTables] = {}
        self._view = view
        self._clock = clock
        self._parts: ClusterParts | None = None
        self._vip_of: dict[str, Address] = {}
        self._key_of: dict[Address, str] = {}
        self._retiring = Retiring()

    @property
    def pending(self) -> bool:
        """True while something is held that the state does not want."""
        return self._retiring.pending

    def turn_to(self, parts: ClusterParts, reviewed: Iterable[Address]) -> Change:
        """*picture* is what *parts* wants by the view's word; what that changed.

        The view is asked about VIPs that differ from the last state, about *reviewed*, and about those
        whose retirement is over.
        """
        now_s = self._clock()
        keys = set(parts.vips() if self._parts is None else parts.differing(self._parts))
        again = {*reviewed, *self._retiring.expired(now_s)}
        vips = {self._vip_of[key] for key in keys if key in self._vip_of} | again
        keys |= {self._key_of[vip] for vip in again if vip in self._key_of}
        wanted: dict[Address, VipTables] = {}
        for some in _batches(keys):
            wanted |= self._read(parts, some)
        vips |= wanted.keys()
        self._view(parts.bare, frozenset(vips - wanted.keys()))
        self._parts = parts
        return self._hold(vips, wanted, now_s)

    def _read(self, parts: ClusterParts, keys: Iterable[str]) -> Picture:
        """What the VIPs of *keys* shall be; under which keys they are is noted."""
        found = {key: vip for key in keys if (vip := parts.vip(key)) is not None}
        for key in keys:
            if key in self._vip_of:
                self._key_of.pop(self._vip_of.pop(key), None)
        for key, vip in found.items():
            self._vip_of[key] = vip.address
            self._key_of[vip.address] = key
        part = parts.part(found.values())
        return picture(self._view(part, frozenset(part.vips)))

    def _hold(self, vips: AbstractSet[Address], wanted: Picture, now_s: float) -> Change:
        after = self._retiring.held(self.picture, vips, wanted, now_s)
        concerned = vips | after.keys()
        before = {vip: self.picture[vip] for vip in concerned if vip in self.picture}
        for vip in concerned:
            self.picture.pop(vip, None)
        self.picture |= after
        return Change(before, after)


def _batches(keys: AbstractSet[str]) -> Iterator[list[str]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
