"""What a node's kernel must be able to do."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from lbaas.agent.capabilities import Trial
from lbaas.dataplane.ipvs import apply as ipvs_apply
from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey, service_flags
from lbaas.dataplane.ipvs.netlink import IpvsSocket
from lbaas.dataplane.ipvs.plan import plan as plan_ipvs
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.marks.desired import FAMILY, TABLE
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.probes import apply as probes_apply
from lbaas.dataplane.probes.desired import declaration as probes_declaration
from lbaas.dataplane.probes.plan import ReplaceTable as ReplaceProbes
from lbaas.dataplane.steps import demand
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl.desired import NODE
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.dataplane.usage.desired import USUAL_BITS, node_meter
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation, Forwarding, Scheduler
from lbaas.health.marks import probe_range
from lbaas.metering.trials import counting_trial
from lbaas.wire.state import Affinity, MarkRange, Tunnel

_MARKS = MarkRange(first=1, last=0xFF)
_LOOPBACK: dict[int, Address] = {4: IPv4Address("127.0.0.1"), 6: IPv6Address("::1")}


def node_trials() -> Iterator[Trial]:
    """One for each feature that a node's data path uses."""
    yield Trial("nftables: inet, maps, raw payload, reject", "no packet gets its mark", _marks)
    without = "health checks through the tunnel get no answer over IPv4; modprobe nft_socket"
    yield Trial("nftables: socket mark, changing a source", without, _probes)
    yield counting_trial(node_meter(_MARKS, USUAL_BITS))
    for family in (4, 6):
        yield Trial(
            f"IPVS by mark, tunnel destinations, IPv{family}",
            f"no VIP of IPv{family} is served; modprobe ip_vs",
            partial(_serve, Scheduler.RR, family),
        )
    for scheduler in Scheduler:
        without = f"pools with scheduler {scheduler} fail; modprobe ip_vs_{scheduler}"
        yield Trial(f"IPVS scheduler {scheduler}", without, partial(_serve, scheduler, 4))
    for encapsulation in (Encapsulation.GUE, Encapsulation.GRE):
        without = f"pools with encapsulation {encapsulation} fail; Linux 5.3 has it"
        attempt = partial(_serve, Scheduler.RR, 4, encapsulation)
        yield Trial(f"IPVS tunnel {encapsulation}", without, attempt)
    for name, value in NODE.items():
        yield Trial(name, "flows break that need not", partial(_set, SetSysctl(name, value)))


def _marks() -> None:
    with closing(Nft()) as nft:
        nft.run(f"table {FAMILY} {TABLE} {{\n{declaration(_MARKS)}}}\n")


def _probes() -> None:
    with closing(Nft()) as nft:
        demand(probes_apply.apply(nft, [ReplaceProbes(probes_declaration(probe_range(_MARKS)))]))


def _serve(
    scheduler: Scheduler, family: int, encapsulation: Encapsulation = Encapsulation.IPIP
) -> None:
    port = Tunnel(encapsulation=encapsulation).udp_port or 0
    destination = Destination(_LOOPBACK[family], Forwarding.TUNNEL, 1, encapsulation, port)
    service = Service(scheduler, service_flags(scheduler, Affinity()), (destination,))
    table = {ServiceKey(family, _MARKS.first): service}
    _raise_loopback()  # a destination must be an address that the namespace can reach
    with closing(IpvsSocket()) as ipvs:
        made = ipvs_apply.apply(ipvs, plan_ipvs({}, table).establish)
        ipvs_apply.apply(ipvs, plan_ipvs(table, {}).withdraw)
    demand(made)


def _set(step: SetSysctl) -> None:
    demand(sysctl_apply.apply([step]))


def _raise_loopback() -> None:
    with closing(LinkSocket()) as link:
        link.set_up(1)
