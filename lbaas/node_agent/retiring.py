"""A VIP that is no longer announced goes on being forwarded a little while.

BIRD answers before its routers have heard the withdrawal, and they send packets until they have acted on
it. Taking the service away at once would lose these.
"""

from dataclasses import dataclass

from lbaas.domain.addresses import Address, address_key
from lbaas.wire.state import ClusterState, Flow, VirtualService

# Withdrawals reach a neighbour's forwarding table in well under a second; this leaves room for a busy one.
RETIRE_S = 3.0


@dataclass(frozen=True)
class _Retired:
    """What a VIP had when it was last announced, and when it was found not to be."""

    flows: tuple[Flow, ...]
    services: tuple[VirtualService, ...]
    since_s: float


class Retiring:
    """Remembers the last state, and the VIPs that retire."""

    def __init__(self) -> None:
        self._last: ClusterState | None = None
        self._retired: dict[Address, _Retired] = {}

    @property
    def pending(self) -> bool:
        """True while some VIP is held that the newest state does not want."""
        return bool(self._retired)

    def held(self, state: ClusterState, now_s: float) -> ClusterState:
        """*state*, and with it whatever VIPs lost their announcement within the last RETIRE_S.

        A mark that *state* gives to another listener retires at once: one mark has one meaning.
        """
        wanted = _announced(state)
        if self._last is not None:
            for vip in _announced(self._last) - wanted:
                self._retired[vip] = _retire(self._last, vip, now_s)
        self._last = state
        self._retired = {
            vip: each
            for vip, each in self._retired.items()
            if vip not in wanted and now_s - each.since_s < RETIRE_S
        }
        return self._merged(state)

    def _merged(self, state: ClusterState) -> ClusterState:
        if not self._retired:
            return state
        taken = {service.mark for service in state.services}
        retired = self._retired.values()
        vips = {*state.vips, *self._retired}
        return state.model_copy(
            update={
                "vips": tuple(sorted(vips, key=address_key)),
                "flows": state.flows
                + tuple(flow for each in retired for flow in each.flows if flow.mark not in taken),
                "services": state.services
                + tuple(s for each in retired for s in each.services if s.mark not in taken),
            }
        )


def _announced(state: ClusterState) -> frozenset[Address]:
    return frozenset(prefix.network_address for prefix in state.announced)


def _retire(state: ClusterState, vip: Address, now_s: float) -> _Retired:
    flows = tuple(flow for flow in state.flows if flow.vip == vip)
    marks = {flow.mark for flow in flows}
    services = tuple(
        service
        for service in state.services
        if service.mark in marks and service.family == vip.version
    )
    return _Retired(flows, services, now_s)
