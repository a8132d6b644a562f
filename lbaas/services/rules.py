"""DSR's and the tenants' rules, as pure functions that return the reason for a no."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import Scheduler

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


def other_family(member: Address, vip_family: int) -> str | None:
    """Why a member can't serve a VIP of *vip_family*; None if it can."""
    if member.version == vip_family:
        return None
    return f"{member} is IPv{member.version}, but the VIP is IPv{vip_family}: a tunnel carries its own family"


def unlike_nodes(scheduler: Scheduler, nodes: int) -> str | None:
    """Why *scheduler* can't be used in a cluster of *nodes* nodes; None if it can.

    When routers move a flow to another node, that node must choose the same backend by itself.
    """
    if nodes <= 1 or scheduler.same_on_every_node:
        return None
    alike = ", ".join(word for word in Scheduler if word.same_on_every_node)
    return (
        f"scheduler {scheduler} keeps its own order on each of the cluster's {nodes} nodes, so a flow that "
        f"moves between nodes would change its backend: use one of {alike}"
    )
