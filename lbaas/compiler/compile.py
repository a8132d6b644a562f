"""Rows to the entries of a state, the same bytes whatever order the rows came in.

The smallest thing that is compiled is an entry: the cluster, a node, a peer, or a VIP with all that hangs on
it. So a change compiles anew what it touches and nothing else.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any
from uuid import UUID

from lbaas.compiler.snapshot import ClusterRow, HostRow, ListenerRow, MemberRow, Touched, VipRow
from lbaas.domain.addresses import address_key
from lbaas.domain.terms import MemberAdminState
from lbaas.wire.canonical import canonical_json, canonical_json_of_sorted
from lbaas.wire.state import (
    ClusterSettings,
    Document,
    HostSettings,
    Located,
    MarkRange,
    NodeSettings,
    Peer,
)

# What a change of the cluster itself compiles anew.
_OF_THE_CLUSTER = ("cluster", "node/", "peer/")


def vip_key(vip: UUID) -> str:
    """The key of a VIP's entry."""
    return f"vip/{vip}"


def compile_cluster(cluster: ClusterRow, vips: Iterable[VipRow]) -> dict[str, bytes]:
    """The entries that every node of the cluster holds."""
    return _cluster(cluster) | compile_vips(vips)


def compile_vips(rows: Iterable[VipRow]) -> dict[str, bytes]:
    """The entries of these VIPs."""
    return {vip_key(row.id): canonical_json_of_sorted(_vip(row)) for row in rows}


def touched_keys(held: Iterable[str], touched: Touched) -> frozenset[str]:
    """The keys at which a state that holds the keys *held* may change."""
    keys = set(map(vip_key, touched.vip_ids))
    if touched.cluster is not None:
        keys |= {key for key in held if key.startswith(_OF_THE_CLUSTER)}
        keys |= _cluster(touched.cluster).keys()
    return frozenset(keys)


def recompile(touched: Touched) -> dict[str, bytes]:
    """The entries at :func:`touched_keys`; a key without one is gone."""
    cluster = {} if touched.cluster is None else _cluster(touched.cluster)
    return cluster | compile_vips(touched.vips)


def compile_host(host: HostRow) -> dict[str, bytes]:
    """What the backend host holds: packets for its VIPs, from their nodes and nobody else."""
    endpoints = tuple(sorted(set(host.addresses), key=address_key))
    entries: dict[str, Document] = {"host": HostSettings(host=host.id, endpoints=endpoints)}
    entries |= {f"vip/{address}": Located(address=address) for address in host.vips}
    entries |= {f"node/{address}": Located(address=address) for address in host.nodes}
    return _encoded(entries)


def _cluster(row: ClusterRow) -> dict[str, bytes]:
    marks = MarkRange(first=row.mark_first, last=row.mark_last)
    entries: dict[str, Document] = {
        "cluster": ClusterSettings(cluster=row.id, as_number=row.as_number, marks=marks)
    }
    for node in row.nodes:
        entries[f"node/{node.id}"] = NodeSettings(name=node.name, admin_state=node.admin_state)
    for peer in row.peers:
        entries[f"peer/{peer.name}"] = Peer(
            name=peer.name,
            address=peer.address,
            as_number=peer.as_number,
            password=peer.password,
            bfd=peer.bfd,
            multihop=peer.multihop,
        )
    return _encoded(entries)


def _encoded(entries: Mapping[str, Document]) -> dict[str, bytes]:
    return {key: canonical_json(each.model_dump(mode="json")) for key, each in entries.items()}


# The shapes below are those of VipSettings. Plain, and their keys in order, because models and sorting would take
# most of a compilation's time.


def _vip(row: VipRow) -> dict[str, Any]:
    listeners = sorted(row.listeners, key=attrgetter("mark"))
    return {"address": row.address, "listeners": [_listener(listener) for listener in listeners]}


def _listener(row: ListenerRow) -> dict[str, Any]:
    """One without members still has its service: its packets are refused by IPVS, not taken by the node."""
    # By age: the kernel can only append, so a new member must come last, or nodes would have to take out
    # and put back the ones behind it to agree on the order that ``mh`` depends on.
    members = sorted(row.pool.members)  # which begin with their ids
    return {
        "backends": [_backend(member) for member in members],
        "forwarding": row.pool.forwarding,
        "mark": row.mark,
        "ports": [{"first": first, "last": last} for first, last in sorted(row.ports)],
        "protocol": row.protocol,
        "scheduler": row.pool.scheduler,
    }


def _backend(member: MemberRow) -> dict[str, Any]:
    drained = member.admin_state == MemberAdminState.DRAINED
    return {"address": member.address, "weight": 0 if drained else member.weight}
