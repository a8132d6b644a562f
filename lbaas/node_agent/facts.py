"""What a node says of itself, beside what it did."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lbaas.dataplane.ipvs.desired import ServiceTable
from lbaas.dataplane.turns import by_turns
from lbaas.domain.terms import Scheduler

# An ``mh`` service's look-up table: 4093 pointers (CONFIG_IP_VS_MH_TAB_INDEX=12, the default), and its head.
MH_BYTES = 4093 * 8 + 64

_STATS = Path("/proc/net/ip_vs_stats")
_CONF = Path("/proc/sys/net/ipv4/conf")


def scheduler_bytes(table: ServiceTable) -> int:
    """The kernel's memory for the schedulers' tables."""
    return MH_BYTES * sum(service.scheduler == Scheduler.MH for service in table.values())


def order_digest(table: ServiceTable) -> str:
    """Equal on nodes that hold the same services with the same destinations in the same order.

    Such nodes send a flow to the same backend, whichever of them it comes to, unless their checks found
    different ones unfit: weights are no part of it.
    """
    digest = hashlib.sha256()
    written: dict[int, str] = {}  # services share their destinations
    for key in by_turns(sorted(table, key=lambda key: key.family << 32 | key.mark)):
        service = table[key]
        for each in service.destinations:
            if id(each) not in written:
                written[id(each)] = f"{each.address}/{each.forwarding}"
        way = " ".join(written[id(each)] for each in service.destinations)
        digest.update(f"{key} {service.scheduler} {service.flags} {way}\n".encode())
    return digest.hexdigest()


def ingress_packets(stats: Path = _STATS) -> int:
    """Packets that IPVS took in since the namespace exists; the kernel counts anew every 2 s."""
    # Two lines of heads, then hexadecimal: connections, packets in and out, bytes in and out.
    return int(stats.read_text().splitlines()[2].split()[1], 16)


def strict_rp_filter(root: Path = _CONF) -> Iterator[str]:
    """The devices, ``all`` among them, that drop IPv4 packets from clients whom they don't reach themselves."""
    for file in sorted(root.glob("*/rp_filter")):
        if file.parent.name != "default" and file.read_text().strip() == "1":
            yield file.parent.name
