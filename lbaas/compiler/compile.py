"""Snapshot to wire document, in canonical order whatever order the rows came in."""

from collections.abc import Iterable, Iterator

from lbaas.compiler.snapshot import (
    ClusterSnapshot,
    HostSnapshot,
    ListenerRow,
    MemberRow,
    PeerRow,
    PoolRow,
)
from lbaas.domain.addresses import Address, address_key, host_prefix
from lbaas.domain.terms import MemberAdminState
from lbaas.wire.state import (
    Backend,
    ClusterState,
    Flow,
    HostState,
    MarkRange,
    NodeSettings,
    Peer,
    PortRange,
    VirtualService,
)


def compile_cluster(rows: ClusterSnapshot, revision: int) -> ClusterState:
    """What every node of the cluster holds at *revision*.

    A VIP is announced once it has a listener. A listener without members still has its service, so that
    its packets are refused by IPVS and not taken by the node itself.
    """
    return ClusterState(
        cluster=rows.id,
        revision=revision,
        as_number=rows.as_number,
        marks=MarkRange(first=rows.mark_first, last=rows.mark_last),
        nodes={
            node.id: NodeSettings(name=node.name, admin_state=node.admin_state)
            for node in sorted(rows.nodes, key=lambda node: node.id)
        },
        peers=tuple(_peer(peer) for peer in sorted(rows.peers, key=_peer_order)),
        vips=_ordered(rows.vips),
        announced=tuple(host_prefix(vip) for vip in _ordered(row.vip for row in rows.listeners)),
        services=tuple(
            _service(row, rows.pools[row.pool_id])
            for row in sorted(rows.listeners, key=lambda row: (row.vip.version, row.mark))
        ),
        flows=tuple(sorted(_flows(rows.listeners), key=_flow_order)),
    )


def compile_host(rows: HostSnapshot, revision: int) -> HostState:
    """What the backend host holds at *revision*: packets for its VIPs, from their nodes and nobody else."""
    return HostState(
        host=rows.id,
        revision=revision,
        endpoints=_ordered(rows.addresses),
        vips=_ordered(rows.vips),
        nodes=_ordered(rows.nodes),
    )


def _ordered(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(sorted(set(addresses), key=address_key))


def _peer_order(peer: PeerRow) -> tuple[int, int, str]:
    return (*address_key(peer.address), peer.name)


def _peer(row: PeerRow) -> Peer:
    return Peer(
        name=row.name,
        address=row.address,
        as_number=row.as_number,
        password=row.password,
        bfd=row.bfd,
        multihop=row.multihop,
    )


def _service(listener: ListenerRow, pool: PoolRow) -> VirtualService:
    # By age: the kernel can only append, so a new member must come last, or nodes would have to take out
    # and put back the ones behind it to agree on the order that ``mh`` depends on.
    members = sorted(pool.members, key=lambda member: member.id)
    return VirtualService(
        mark=listener.mark,
        family=listener.vip.version,
        scheduler=pool.scheduler,
        forwarding=pool.forwarding,
        backends=tuple(_backend(member) for member in members),
    )


def _backend(member: MemberRow) -> Backend:
    drained = member.admin_state is MemberAdminState.DRAINED
    return Backend(address=member.address, weight=0 if drained else member.weight)


def _flows(listeners: Iterable[ListenerRow]) -> Iterator[Flow]:
    for row in listeners:
        for first, last in row.ports:
            ports = PortRange(first=first, last=last)
            yield Flow(vip=row.vip, protocol=row.protocol, ports=ports, mark=row.mark)


def _flow_order(flow: Flow) -> tuple[int, int, str, int]:
    return (*address_key(flow.vip), flow.protocol, flow.ports.first)
