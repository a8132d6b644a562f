"""What is checked: from services to checks, and to the services of IPVS that their probes travel by. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding, ProbeKind, ProbeTarget, Scheduler
from lbaas.wire.state import Backend, Monitor, Tunnel, VirtualService


@dataclass(frozen=True)
class Path:
    """How a VIP's packets get to one of its members."""

    vip: Address
    member: Address
    forwarding: Forwarding
    tunnel: Tunnel

    def __str__(self) -> str:
        way = f"{self.forwarding} {self.tunnel.encapsulation} {self.tunnel.udp_port or 0}"
        return f"{self.vip} at {self.member} by {way}"


@dataclass(frozen=True)
class Check:
    """One member, asked in one way. Without a *path* it is asked at its own address.

    Listeners of one VIP that share a pool share the check; so do VIPs where it goes to the member itself.
    """

    monitor: Monitor
    member: Address
    path: Path | None = None
    mark: int | None = None

    @property
    def address(self) -> Address:
        """Where the probe is sent to."""
        return self.path.vip if self.path else self.member


def check_of(service: VirtualService, member: Address, mark_of: Callable[[str], int]) -> Check:
    """How *member* of *service*, which has a monitor, is checked.

    IPVS takes no echo requests (the node answers a ping of a VIP itself), so ``icmp`` always asks the member.
    """
    monitor = service.monitor
    if monitor is None:
        raise ValueError(f"service {service.mark:#x} has no monitor")
    if monitor.target is ProbeTarget.MEMBER or monitor.kind is ProbeKind.ICMP:
        return Check(monitor, member)
    path = Path(service.vip, member, service.forwarding, service.tunnel)
    return Check(monitor, member, path, mark_of(str(path)))


def probe_service(path: Path, mark: int) -> VirtualService:
    """The service by which a packet that carries *mark* goes the *path*."""
    # Made of what was validated already, thousands of times at a start.
    backend = Backend.model_construct(address=path.member, weight=1)
    return VirtualService.model_construct(
        mark=mark,
        family=path.vip.version,
        scheduler=Scheduler.RR,
        forwarding=path.forwarding,
        backends=(backend,),
        vip=path.vip,
        tunnel=path.tunnel,
    )
