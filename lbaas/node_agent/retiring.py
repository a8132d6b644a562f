"""A VIP that is no longer announced goes on being forwarded a little while.

BIRD answers before its routers have heard the withdrawal, and they send packets until they have acted on
it. Taking the service away at once would lose these.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from lbaas.dataplane.ipvs.desired import ServiceKey
from lbaas.dataplane.marks.desired import without
from lbaas.domain.addresses import Address
from lbaas.node_agent.picture import Picture, VipTables, united

# Withdrawals reach a neighbour's forwarding table in well under a second; this leaves room for a busy one.
RETIRE_S = 3.0


@dataclass(frozen=True)
class _Retired:
    """What a VIP had when it was last announced, and when it was found not to be."""

    tables: VipTables
    since_s: float


class Retiring:
    """Remembers the VIPs that retire."""

    def __init__(self) -> None:
        self._retired: dict[Address, _Retired] = {}

    @property
    def pending(self) -> bool:
        """True while some VIP is held that the newest state does not want."""
        return bool(self._retired)

    def expired(self, now_s: float) -> frozenset[Address]:
        """The VIPs that have retired long enough; nothing is held of them any more."""
        due = {vip for vip, each in self._retired.items() if now_s - each.since_s >= RETIRE_S}
        for vip in due:
            del self._retired[vip]
        return frozenset(due)

    def held(
        self, held: Picture, vips: AbstractSet[Address], wanted: Picture, now_s: float
    ) -> Picture:
        """What to hold of *vips*, where *wanted* says what is wanted of them and *held* what is held of all.

        One that loses its announcement keeps what it had; a local one that has no backend left here sends new
        flows to those that it had as long. A mark that *wanted* gives to another VIP retires at
        once: one mark has one meaning. So a retiring VIP that is not among *vips* may be in the answer.
        """
        for vip in vips:
            new, old = wanted.get(vip), held.get(vip)
            if new is not None and new.prefix is not None:
                self._retired.pop(vip, None)
            elif old is not None and old.prefix is not None:
                self._retired[vip] = _Retired(old, now_s)
        robbed = self._robbed({key: vip for vip, new in wanted.items() for key in new.services})
        return {
            **wanted,
            **{vip: _less(held[vip], lost) for vip, lost in robbed.items() if vip not in vips},
            **{
                vip: self._still(vip, wanted.get(vip, VipTables()))
                for vip in vips & self._retired.keys()
            },
        }

    def _still(self, vip: Address, new: VipTables) -> VipTables:
        old = self._retired[vip].tables
        return united(old, new, new.prefix) if new.alike else united(new, old, new.prefix)

    def _robbed(self, taken: Mapping[ServiceKey, Address]) -> dict[Address, frozenset[ServiceKey]]:
        """What each retiring VIP lost for good to another in *taken*."""
        robbed: dict[Address, frozenset[ServiceKey]] = {}
        for vip, each in self._retired.items():
            lost = frozenset(key for key in each.tables.services if taken.get(key, vip) != vip)
            if lost:
                robbed[vip] = lost
                self._retired[vip] = replace(each, tables=_less(each.tables, lost))
        return robbed


def _less(tables: VipTables, lost: frozenset[ServiceKey]) -> VipTables:
    """*tables* without the services *lost* and the flows that went to them."""
    services = {key: each for key, each in tables.services.items() if key not in lost}
    marks = without(tables.marks, frozenset(key.mark for key in lost & tables.services.keys()))
    return replace(tables, services=services, marks=marks)
