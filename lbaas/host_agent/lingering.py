"""VIPs that have just gone stay a little longer.

Nodes and hosts hear of a deletion at the same moment. A host that dropped the VIP at once would lose the
packets that nodes still send until their routers have heard the withdrawal.
"""

from collections.abc import Iterable

from lbaas.domain.addresses import Address, address_key

# Twice as long as a node goes on forwarding to a VIP that retires (lbaas.node_agent.retiring).
LINGER_S = 6.0


class Lingering:
    """Remembers when each VIP was last wanted. *pending*: some VIP is held that no longer is."""

    def __init__(self) -> None:
        self._wanted_at_s: dict[Address, float] = {}
        self.pending = False

    def held(self, wanted: Iterable[Address], now_s: float) -> tuple[Address, ...]:
        """The VIPs to hold at *now_s*: *wanted*, and those that were within the last LINGER_S."""
        self._wanted_at_s = {
            **{vip: at for vip, at in self._wanted_at_s.items() if now_s - at < LINGER_S},
            **dict.fromkeys(wanted, now_s),
        }
        self.pending = any(at < now_s for at in self._wanted_at_s.values())
        return tuple(sorted(self._wanted_at_s, key=address_key))
