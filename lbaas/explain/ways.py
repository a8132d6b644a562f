"""How packets leave a machine."""

from dataclasses import dataclass

from lbaas.domain.addresses import Address


@dataclass(frozen=True)
class Way:
    """The route of a packet: its device, the largest packet it takes, and the router; None: on the same segment."""

    device: str
    mtu: int
    gateway: Address | None = None

    def __str__(self) -> str:
        via = f" via {self.gateway}" if self.gateway else ""
        return f"{self.device}{via}, MTU {self.mtu}"
