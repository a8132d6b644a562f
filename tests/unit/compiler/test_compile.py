"""Rows to entries, read back as the agents read them."""

import json
from dataclasses import replace
from ipaddress import ip_address
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.compiler.compile import compile_cluster, compile_host
from lbaas.compiler.snapshot import (
    ClusterRow,
    HostRow,
    ListenerRow,
    MemberRow,
    NodeRow,
    PeerRow,
    ServiceRow,
    VipRow,
    WayRow,
)
from lbaas.domain.addresses import Address, address_key
from lbaas.domain.terms import Encapsulation, Forwarding, NodeAdminState
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Entries
from lbaas.wire.reading import Reader
from lbaas.wire.state import ClusterState, HostState


def listener(mark: int, members: tuple[MemberRow, ...], *ports: tuple[int, int]) -> ListenerRow:
    return ListenerRow(str(UUID(int=mark)), mark, ServiceRow(ports=ports), members)


MEMBERS: tuple[MemberRow, ...] = (
    {"address": "10.0.0.12", "weight": 2},
    {"address": "10.0.0.3", "drained_at": 1_700_000_000, "weight": 3},
)
CLUSTER = ClusterRow(
    id=UUID(int=1),
    as_number=65001,
    mark_first=0x10000000,
    mark_last=0x1000FFFF,
    nodes=(
        NodeRow(id=UUID(int=8), name="lb2", admin_state=NodeAdminState.DRAINED),
        NodeRow(id=UUID(int=7), name="lb1", admin_state=NodeAdminState.ACTIVE),
    ),
    peers=tuple(
        PeerRow(
            name=name,
            address=ip_address(address),
            as_number=65000,
            password=password,
            bfd=True,
            multihop=False,
        )
        for name, address, password in (("r6", "fd00::1", None), ("r4", "10.0.0.1", "secret"))
    ),
)
VIPS = (
    VipRow(
        id=str(UUID(int=20)),
        address="2001:db8::1",
        listeners=(listener(0x10000002, (), (443, 443)),),
    ),
    VipRow(id=str(UUID(int=21)), address="198.51.100.10", listeners=()),
    VipRow(
        id=str(UUID(int=22)),
        address="198.51.100.9",
        listeners=(
            listener(0x10000003, MEMBERS, (443, 443)),
            listener(0x10000001, MEMBERS, (8000, 8100), (80, 80)),
        ),
    ),
)


def compiled() -> ClusterState:
    return Reader(ClusterState).read(Entries.of(compile_cluster(CLUSTER, VIPS)), 5)


def test_backends_stand_in_the_members_order_and_a_drained_one_has_weight_zero() -> None:
    service = compiled().services[0]

    assert [(str(b.address), b.weight) for b in service.backends] == [
        ("10.0.0.12", 2),
        ("10.0.0.3", 0),
    ]


def test_a_listener_without_members_still_has_its_service() -> None:
    assert [(s.mark, s.family, len(s.backends)) for s in compiled().services] == [
        (0x10000001, 4, 2),
        (0x10000003, 4, 2),
        (0x10000002, 6, 0),
    ]


def test_only_vips_with_a_listener_are_announced() -> None:
    state = compiled()

    assert list(map(str, state.vips)) == ["198.51.100.9", "198.51.100.10", "2001:db8::1"]
    assert [str(prefix) for prefix in state.announced] == ["198.51.100.9/32", "2001:db8::1/128"]


def test_every_port_range_is_a_flow_with_its_listeners_mark() -> None:
    assert [(str(f.vip), f.ports.first, f.ports.last, f.mark) for f in compiled().flows] == [
        ("198.51.100.9", 80, 80, 0x10000001),
        ("198.51.100.9", 443, 443, 0x10000003),
        ("198.51.100.9", 8000, 8100, 0x10000001),
        ("2001:db8::1", 443, 443, 0x10000002),
    ]


def test_nodes_are_told_their_own_addresses_where_a_router_is_beyond_their_segment() -> None:
    own = (ip_address("10.0.10.11"), ip_address("fd00:10::11"))
    nodes = (NodeRow(id=UUID(int=7), name="lb1", admin_state=NodeAdminState.ACTIVE, addresses=own),)
    near = replace(CLUSTER, nodes=nodes)
    far = replace(near, peers=(*near.peers, replace(near.peers[0], name="core", multihop=True)))
    told = [
        Reader(ClusterState).read(Entries.of(compile_cluster(cluster, VIPS)), 5).nodes
        for cluster in (near, far)
    ]
    assert [node.addresses for nodes in told for node in nodes.values()] == [(), own]


def test_the_cluster_carries_its_nodes_admin_states_and_its_peers_passwords() -> None:
    state = compiled()

    assert (state.cluster, state.revision, state.as_number) == (UUID(int=1), 5, 65001)
    assert (state.marks.first, state.marks.last) == (0x10000000, 0x1000FFFF)
    assert {node.name: node.admin_state for node in state.nodes.values()} == {
        "lb1": NodeAdminState.ACTIVE,
        "lb2": NodeAdminState.DRAINED,
    }
    assert [(peer.name, peer.password) for peer in state.peers] == [("r4", "secret"), ("r6", None)]


def test_every_value_is_canonical() -> None:
    """The agents bring what they parse into canonical form: the digests differ where we did not."""
    for value in compile_cluster(CLUSTER, VIPS).values():
        assert value == canonical_json(json.loads(value))


@given(st.data())
def test_the_order_of_rows_never_shows(data: st.DataObject) -> None:
    def shuffled(row: ListenerRow) -> ListenerRow:
        ports = tuple(data.draw(st.permutations(row.service.ports)))
        return row._replace(service=replace(row.service, ports=ports))

    cluster = replace(
        CLUSTER,
        nodes=tuple(data.draw(st.permutations(CLUSTER.nodes))),
        peers=tuple(data.draw(st.permutations(CLUSTER.peers))),
    )
    vips = [
        vip._replace(
            listeners=tuple(map(shuffled, data.draw(st.permutations(vip.listeners)))),
        )
        for vip in data.draw(st.permutations(VIPS))
    ]

    assert compile_cluster(cluster, vips) == compile_cluster(CLUSTER, VIPS)


@given(st.lists(st.ip_addresses(), min_size=1))
def test_a_host_state_is_sorted_and_names_nothing_twice(
    addresses: list[Address],
) -> None:
    rows = HostRow(
        id=UUID(int=1),
        addresses=tuple(addresses),
        ways=tuple(map(WayRow, addresses)) * 2,
        nodes=(),
    )

    state = Reader(HostState).read(Entries.of(compile_host(rows)), 9)

    assert list(state.vips) == sorted(set(state.vips), key=address_key)
    assert state.endpoints == state.vips
    assert set(state.vips) == set(addresses)


def test_a_host_takes_packets_in_every_way_that_they_come() -> None:
    one, other = ip_address("198.51.100.1"), ip_address("198.51.100.2")
    gue = WayRow(one, encapsulation=Encapsulation.GUE, gue_port=6080)
    gre = WayRow(one, encapsulation=Encapsulation.GRE)
    direct = WayRow(other, forwarding=Forwarding.DIRECT, encapsulation=None)
    rows = HostRow(id=UUID(int=1), addresses=(one,), ways=(gue, gre, WayRow(one), direct), nodes=())

    entries = compile_host(rows)

    assert entries == compile_host(replace(rows, ways=rows.ways[::-1]))
    assert json.loads(entries[f"vip/{one}"])["tunnels"] == [
        {"encapsulation": "gre"},
        {"encapsulation": "gue", "port": 6080},
        {},
    ]
    assert json.loads(entries[f"vip/{other}"]) == {"address": str(other)}


def test_a_host_learns_whose_an_address_is_and_of_several_clusters_the_oldest() -> None:
    shared, own = ip_address("198.51.100.1"), ip_address("198.51.100.2")
    ways = (WayRow(shared, vip=UUID(int=8)), WayRow(shared, vip=UUID(int=7)), WayRow(own))
    rows = HostRow(id=UUID(int=1), addresses=(), ways=ways, nodes=())

    entries = compile_host(rows)

    assert json.loads(entries[f"vip/{shared}"])["vip"] == str(UUID(int=7))
    assert "vip" not in json.loads(entries[f"vip/{own}"])


def test_what_concerns_the_whole_cluster_is_said_where_it_is_not_the_default() -> None:
    timeouts = {"tcp_s": 60, "tcp_fin_s": 120, "udp_s": 300}
    node = replace(CLUSTER.nodes[0], removal_confirmed=7)
    peer = replace(CLUSTER.peers[0], graceful_restart=True)
    changed = replace(
        CLUSTER,
        timeouts=timeouts,
        removal_guard_percent=10,
        connection_sync=True,
        nodes=(node,),
        peers=(peer,),
    )

    state = Reader(ClusterState).read(Entries.of(compile_cluster(changed, ())), 1)

    assert state.timeouts.tcp_s == 60
    assert (state.removal_guard_percent, state.connection_sync) == (10, True)
    assert state.nodes[node.id].removal_confirmed == 7
    assert state.peers[0].graceful_restart
    plain = json.loads(compile_cluster(CLUSTER, ())["cluster"])
    assert plain.keys() == {"cluster", "as_number", "marks"}
