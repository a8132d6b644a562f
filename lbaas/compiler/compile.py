"""Rows to the entries of a state, the same bytes whatever order the rows came in.

The smallest thing that is compiled is an entry: the cluster, a node, a peer, or a VIP with all that hangs on
it. So a change compiles anew what it touches and nothing else.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from lbaas.compiler.entries import tunnel_of, vip_settings
from lbaas.compiler.snapshot import ClusterRow, HostRow, Touched, VipRow, WayRow
from lbaas.domain.addresses import Address, address_key
from lbaas.domain.terms import Forwarding
from lbaas.wire.canonical import canonical_json, canonical_json_of_sorted
from lbaas.wire.entries import Delta
from lbaas.wire.state import (
    ClusterSettings,
    Document,
    HostSettings,
    Located,
    MarkRange,
    NodeSettings,
    Peer,
    Timeouts,
    Tunnel,
)

# What a change of the cluster itself compiles anew.
_OF_THE_CLUSTER = ("cluster", "node/", "peer/")


def vip_key(vip: UUID | str) -> str:
    """The key of the entry of the VIP with this id, or this text of one."""
    return f"vip/{vip}"


def compile_cluster(cluster: ClusterRow, vips: Iterable[VipRow]) -> dict[str, bytes]:
    """The entries that every node of the cluster holds."""
    return _cluster(cluster) | compile_vips(vips)


def compile_vips(rows: Iterable[VipRow]) -> dict[str, bytes]:
    """The entries of these VIPs."""
    return {vip_key(row.id): canonical_json_of_sorted(vip_settings(row)) for row in rows}


def recompile(held: Iterable[str], touched: Touched) -> Delta:
    """What leads a state with entries at *held* to what the *touched* rows say."""
    changed = compile_vips(touched.vips)
    gone = set(map(vip_key, touched.named))
    if touched.cluster is not None:
        changed |= _cluster(touched.cluster)
        gone |= {key for key in held if key.startswith(_OF_THE_CLUSTER)}
    return Delta(changed, frozenset(gone - changed.keys()))


def compile_host(host: HostRow) -> dict[str, bytes]:
    """What the backend host holds: packets for its VIPs, from their nodes and nobody else."""
    endpoints = tuple(sorted(set(host.addresses), key=address_key))
    entries: dict[str, Document] = {"host": HostSettings(host=host.id, endpoints=endpoints)}
    ways: dict[Address, list[WayRow]] = defaultdict(list)
    for way in host.ways:
        ways[way.address].append(way)
    entries |= {
        f"vip/{address}": _located(address, to, _arrivals(host, to)) for address, to in ways.items()
    }
    entries |= {f"node/{address}": Located(address=address) for address in host.nodes}
    return _encoded(entries)


def _arrivals(host: HostRow, ways: Iterable[WayRow]) -> tuple[Address, ...]:
    """Where the VIP of *ways* arrives, if that makes a difference."""
    found = {way.endpoint for way in ways if host.of_pods and way.endpoint is not None}
    return tuple(sorted(found, key=address_key))


def _located(address: Address, ways: Collection[WayRow], endpoints: tuple[Address, ...]) -> Located:
    tunnels = set().union(*map(_tunnels, ways))
    return Located(
        address=address,
        vip=min((way.vip for way in ways if way.vip is not None), default=None),
        tunnels=tuple(sorted(tunnels, key=lambda way: (way.encapsulation, way.port or 0))),
        endpoints=endpoints,
    )


def _tunnels(way: WayRow) -> set[Tunnel]:
    """None where packets come as they are."""
    if way.forwarding is not Forwarding.TUNNEL:
        return set()
    return {Tunnel.model_validate(tunnel_of(way.encapsulation, way.gue_port))}


def _cluster(row: ClusterRow) -> dict[str, bytes]:
    entries: dict[str, Document] = {
        "cluster": ClusterSettings(
            cluster=row.id,
            as_number=row.as_number,
            marks=MarkRange(first=row.mark_first, last=row.mark_last),
            timeouts=Timeouts(**row.timeouts),
            removal_guard_percent=row.removal_guard_percent,
            connection_sync=row.connection_sync,
        )
    }
    far = any(peer.multihop for peer in row.peers)
    for node in row.nodes:
        entries[f"node/{node.id}"] = NodeSettings(
            name=node.name,
            admin_state=node.admin_state,
            removal_confirmed=node.removal_confirmed,
            addresses=node.addresses if far else (),
        )
    for peer in row.peers:
        entries[f"peer/{peer.name}"] = Peer(
            name=peer.name,
            address=peer.address,
            as_number=peer.as_number,
            password=peer.password,
            bfd=peer.bfd,
            multihop=peer.multihop,
            graceful_restart=peer.graceful_restart,
        )
    return _encoded(entries)


def _encoded(entries: Mapping[str, Document]) -> dict[str, bytes]:
    """What has its default is left out."""
    return {
        key: canonical_json(each.model_dump(mode="json", exclude_defaults=True))
        for key, each in entries.items()
    }
