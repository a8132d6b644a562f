"""Where a host opens GUE."""

from collections.abc import Iterable
from dataclasses import dataclass

from lbaas.domain.addresses import Address, address_key
from lbaas.wire.state import HostState


@dataclass(frozen=True)
class Opening:
    """UDP packets to *endpoint* and *port* are unwrapped; what is inside goes on by its own protocol."""

    endpoint: Address
    port: int

    def __str__(self) -> str:
        return f"GUE at {self.endpoint} port {self.port}"


def openings(state: HostState) -> frozenset[Opening]:
    """One for each endpoint and GUE port of *state*."""
    ports = {tunnel.udp_port for tunnel in state.tunnels}
    return frozenset(
        Opening(endpoint, port)
        for endpoint in state.endpoints
        for port in ports
        if port is not None
    )


def owned(found: Iterable[Opening], endpoints: Iterable[Address]) -> frozenset[Opening]:
    """Those of *found* that are ours: bound to one of *endpoints*. Others bind to every address."""
    own = frozenset(endpoints)
    return frozenset(each for each in found if each.endpoint in own)


def order(opening: Opening) -> tuple[int, int, int]:
    """By address, then port."""
    return (*address_key(opening.endpoint), opening.port)
