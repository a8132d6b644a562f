"""DSR's and the tenants' rules, as pure functions that return the reason for a no."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import Encapsulation, Forwarding, ProbeKind, Protocol, Scheduler
from lbaas.persistence.models import Pool

# By field, the length of a whole address.
PERSISTENCE_PREFIXES = {"persistence_prefix_v4": 32, "persistence_prefix_v6": 128}

Span = tuple[int, int]
Name = TypeVar("Name")


def overlapping(
    wanted: Sequence[Span], others: Iterable[tuple[Name, Sequence[Span]]]
) -> tuple[Name, Span] | None:
    """The first of *others* that has a port of *wanted*, and the ports that both have."""
    for name, spans in others:
        for first, last in wanted:
            for begin, end in spans:
                if first <= end and begin <= last:
                    return name, (max(first, begin), min(last, end))
    return None


def outside(address: Address, prefixes: Sequence[Prefix]) -> str | None:
    """Why a member may not live at *address*; None if it may."""
    if any(address in prefix for prefix in prefixes):
        return None
    allowed = ", ".join(map(str, prefixes)) or "none yet: ask the operator"
    return f"{address} is not in the tenant's backend prefixes ({allowed})"


def bridges(pool: Pool) -> bool:
    """True if packets of one family reach members of the other: the kernel does that by ipip only."""
    return pool.forwarding is Forwarding.TUNNEL and pool.encapsulation is Encapsulation.IPIP


def foreign(pool: Pool, member: Address, family: int, *, synchronised: bool) -> str | None:
    """Why a member can't serve a VIP of *family*; None if it can. *synchronised*: its cluster's nodes
    tell each other their flows.

    Source of both limits: do_ip_vs_set_ctl and ip_vs_genl_set_cmd in net/netfilter/ipvs/ip_vs_ctl.c.
    """
    if member.version == family:
        return None
    differ = f"{member} is IPv{member.version}, but the VIP is IPv{family}"
    if not bridges(pool):
        way = pool.encapsulation or "direct forwarding"
        return f"{differ}: {way} carries packets within one family, a tunnel of ipip across both"
    if synchronised:
        return (
            f"{differ}: the cluster's nodes synchronise connections, which works within one family"
        )
    return None


def foreign_source(prefix: Prefix) -> str:
    """Why a listener whose VIP is of the other family can't say that *prefix* may come."""
    return f"{prefix} is IPv{prefix.version}, and the VIP is not: nobody comes from there"


def one_sided(family: int) -> str:
    """Why a listener of two VIPs that names its sources must name some of *family*."""
    whole = "0.0.0.0/0" if family == 4 else "::/0"
    return (
        f"no IPv{family} source is named, and one VIP is IPv{family}: name some, or {whole} for all"
    )


class No(NamedTuple):
    """Why a pool can't be so, and the field that says it."""

    field: str
    reason: str


def contradiction(pool: Pool) -> No | None:
    """What no listener could use, whatever it is; None if there is nothing of the kind."""
    if pool.forwarding is not Forwarding.TUNNEL and pool.encapsulation is not None:
        return No("encapsulation", f"{pool.forwarding} forwarding wraps nothing: leave it out")
    if pool.encapsulation is not Encapsulation.GUE and pool.gue_port is not None:
        return No("gue_port", "only gue has a port: leave it out, or say encapsulation gue")
    if pool.persistence_s is not None and pool.one_packet:
        reason = "persistence keeps a client at its member, one_packet sends each datagram anew"
        return No("one_packet", f"{reason}: choose one of them")
    for field in PERSISTENCE_PREFIXES:
        if pool.persistence_s is None and getattr(pool, field) is not None:
            return No(field, "it says nothing without persistence_s: say that too, or leave it out")
    return None


def unfit(pool: Pool, listener: str, protocol: Protocol, *, all_ports: bool) -> No | None:
    """Why *listener* can't use the pool; None if it can."""
    if pool.one_packet and protocol is not Protocol.UDP:
        return No(
            "one_packet", f"listener {listener} is {protocol}, and one_packet is for udp only"
        )
    monitor = pool.monitor
    if all_ports and monitor and monitor["port"] is None and monitor["kind"] != ProbeKind.ICMP:
        reason = f"listener {listener} is on all ports, so the check must say which"
        return No("monitor", f"{reason}: give monitor.port, or check by icmp")
    return None


def unlike_nodes(pool: Pool, nodes: int) -> No | None:
    """Why *pool* can't be used in a cluster of *nodes* nodes; None if it can.

    When routers move a flow to another node, that node must choose the same backend by itself.
    """
    if nodes <= 1:
        return None
    if not pool.scheduler.same_on_every_node:
        alike = ", ".join(word for word in Scheduler if word.same_on_every_node)
        return No(
            "scheduler",
            f"scheduler {pool.scheduler} keeps its own order on each of the cluster's {nodes} nodes, so a "
            f"flow that moves between nodes would change its backend: use one of {alike}",
        )
    if pool.persistence_s is None:
        return None
    if pool.hash_ports:
        return No(
            "hash_ports",
            f"each of the cluster's {nodes} nodes would keep a client at the member that it chose by the first "
            "port it saw, and they would differ: with persistence set hash_ports to false",
        )
    for field, whole in PERSISTENCE_PREFIXES.items():
        if (getattr(pool, field) or whole) < whole:
            return No(
                field,
                f"each of the cluster's {nodes} nodes would keep a prefix at the member of the first client it "
                "saw, and they would differ: leave it out, or use a cluster of one node",
            )
    return None
