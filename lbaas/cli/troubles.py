"""What is wrong with a VIP though it is programmed. Pure.

Members that fail their checks, packets that were refused, routers that do not hear of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from lbaas.wire.status import DroppedPackets, HostStatus, NodeStatus, UnhealthyMember, VipStatus
from lbaas.wire.tenants import Listener

Rows = list[list[str]]
Seen = tuple[UnhealthyMember, str]  # by the node of this name


def unhealthy(status: VipStatus, listeners: Sequence[Listener]) -> Rows:
    """A row for each member that some node finds sick, with the nodes and the reason; none if all are well."""
    titles = ["UNHEALTHY", "LISTENER", "SINCE", "NODES", "CAUSE"]
    rows = [
        [address, _name(listener, listeners), _since(seen), _nodes(seen), seen[0][0].cause]
        for (listener, address), seen in _by_member(status)
    ]
    return [titles, *rows] if rows else []


def refused(status: VipStatus, listeners: Sequence[Listener]) -> Rows:
    """A row for each listener at which packets were refused, and why how many; none if none was."""
    rows = [
        [_name(each.listener_id, listeners), *map(str, (each.source, each.rate, each.malformed))]
        for each in status.dropped
        if _any(each)
    ]
    return [["REFUSED AT", "BY SOURCE", "BY RATE", "MALFORMED"], *rows] if rows else []


def locked_out(status: VipStatus, now: datetime) -> Rows:
    """A row for each node and host whose certificate has expired: nothing new gets there; none if none has."""
    agents: list[NodeStatus | HostStatus] = [*status.nodes, *status.hosts]
    rows = [
        [agent.name, f"{ended:%Y-%m-%dT%H:%M:%SZ}"]
        for agent in agents
        if (ended := agent.certificate_expires_at) is not None and ended <= now
    ]
    return [["CERTIFICATE EXPIRED OF", "AT"], *rows] if rows else []


def unheard(status: VipStatus) -> Rows:
    """A row for each node that does not tell some router of the VIP; none if all hear of it."""
    rows = [
        [node.name, ",".join(map(str, node.unheard_by))] for node in status.nodes if node.unheard_by
    ]
    return [["NOT ANNOUNCED BY", "TO"], *rows] if rows else []


def silent(status: VipStatus) -> Rows:
    """A row for each member that some node doubts, since connections to it get no further; none if there is none."""
    rows = sorted(
        [str(each.address), str(each.port), node.name]
        for node in status.nodes
        for each in node.silent
    )
    return [["SEEMS TO ANSWER NOBODY", "AT PORT", "AS SEEN BY"], *rows] if rows else []


def sick(status: VipStatus) -> list[str]:
    """The same members, a few words each."""
    return [f"{address} unhealthy on {_nodes(seen)}" for (_, address), seen in _by_member(status)]


def _by_member(status: VipStatus) -> Iterator[tuple[tuple[UUID, str], list[Seen]]]:
    def member(seen: Seen) -> tuple[UUID, str]:
        return seen[0].listener_id, str(seen[0].address)

    found = [(bad, node.name) for node in status.nodes for bad in node.unhealthy]
    for key, seen in groupby(sorted(found, key=member), member):
        yield key, list(seen)


def _nodes(seen: Sequence[Seen]) -> str:
    return ",".join(sorted({node for _, node in seen}))


def _since(seen: Sequence[Seen]) -> str:
    return f"{min(bad.since for bad, _ in seen):%Y-%m-%dT%H:%M:%SZ}"


def _any(dropped: DroppedPackets) -> bool:
    return bool(dropped.source or dropped.rate or dropped.malformed)


def _name(listener: UUID, listeners: Sequence[Listener]) -> str:
    """Of a listener that went meanwhile, its id."""
    return next((each.name for each in listeners if each.id == listener), str(listener))
