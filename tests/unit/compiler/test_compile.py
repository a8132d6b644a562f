from dataclasses import replace
from ipaddress import ip_address
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.compiler.compile import compile_cluster, compile_host
from lbaas.compiler.snapshot import (
    ClusterSnapshot,
    HostSnapshot,
    ListenerRow,
    MemberRow,
    NodeRow,
    PeerRow,
    PoolRow,
)
from lbaas.domain.addresses import address_key
from lbaas.domain.terms import (
    Forwarding,
    MemberAdminState,
    NodeAdminState,
    Protocol,
    Scheduler,
)
from lbaas.wire.canonical import canonical_json

CLUSTER, POOL, EMPTY_POOL = UUID(int=1), UUID(int=2), UUID(int=3)
V4, V6, UNUSED = map(ip_address, ("198.51.100.9", "2001:db8::1", "198.51.100.10"))


def member(age: int, address: str, weight: int = 1, *, drained: bool = False) -> MemberRow:
    state = MemberAdminState.DRAINED if drained else MemberAdminState.ACTIVE
    return MemberRow(
        id=UUID(int=age), address=ip_address(address), weight=weight, admin_state=state
    )


def pool(*members: MemberRow) -> PoolRow:
    return PoolRow(scheduler=Scheduler.MH, forwarding=Forwarding.TUNNEL, members=members)


def listener(vip: str, mark: int, pool_id: UUID, *ports: tuple[int, int]) -> ListenerRow:
    return ListenerRow(
        vip=ip_address(vip), protocol=Protocol.TCP, ports=ports, mark=mark, pool_id=pool_id
    )


SNAPSHOT = ClusterSnapshot(
    id=CLUSTER,
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
    vips=(V6, UNUSED, V4),
    listeners=(
        listener("2001:db8::1", 0x10000002, EMPTY_POOL, (443, 443)),
        listener("198.51.100.9", 0x10000001, POOL, (8000, 8100), (80, 80)),
        listener("198.51.100.9", 0x10000003, POOL, (443, 443)),
    ),
    pools={
        POOL: pool(member(2, "10.0.0.3", 3, drained=True), member(1, "10.0.0.12", 2)),
        EMPTY_POOL: pool(),
    },
)


def test_backends_stand_in_order_of_age_and_a_drained_one_has_weight_zero() -> None:
    service = compile_cluster(SNAPSHOT, 5).services[0]

    assert [(str(b.address), b.weight) for b in service.backends] == [
        ("10.0.0.12", 2),
        ("10.0.0.3", 0),
    ]


def test_a_listener_without_members_still_has_its_service() -> None:
    state = compile_cluster(SNAPSHOT, 5)

    assert [(s.mark, s.family, len(s.backends)) for s in state.services] == [
        (0x10000001, 4, 2),
        (0x10000003, 4, 2),
        (0x10000002, 6, 0),
    ]


def test_only_vips_with_a_listener_are_announced() -> None:
    state = compile_cluster(SNAPSHOT, 5)

    assert state.vips == (V4, UNUSED, V6)
    assert [str(prefix) for prefix in state.announced] == ["198.51.100.9/32", "2001:db8::1/128"]


def test_every_port_range_is_a_flow_with_its_listeners_mark() -> None:
    flows = compile_cluster(SNAPSHOT, 5).flows

    assert [(str(f.vip), f.ports.first, f.ports.last, f.mark) for f in flows] == [
        ("198.51.100.9", 80, 80, 0x10000001),
        ("198.51.100.9", 443, 443, 0x10000003),
        ("198.51.100.9", 8000, 8100, 0x10000001),
        ("2001:db8::1", 443, 443, 0x10000002),
    ]


def test_nodes_carry_their_admin_state_and_peers_their_password() -> None:
    state = compile_cluster(SNAPSHOT, 5)

    assert {node.name: node.admin_state for node in state.nodes.values()} == {
        "lb1": NodeAdminState.ACTIVE,
        "lb2": NodeAdminState.DRAINED,
    }
    assert [(peer.name, peer.password) for peer in state.peers] == [("r4", "secret"), ("r6", None)]


@given(st.data())
def test_the_order_of_rows_never_shows(data: st.DataObject) -> None:
    shuffled = replace(
        SNAPSHOT,
        nodes=tuple(data.draw(st.permutations(SNAPSHOT.nodes))),
        peers=tuple(data.draw(st.permutations(SNAPSHOT.peers))),
        vips=tuple(data.draw(st.permutations(SNAPSHOT.vips))),
        listeners=tuple(data.draw(st.permutations(SNAPSHOT.listeners))),
        pools={
            key: replace(row, members=tuple(data.draw(st.permutations(row.members))))
            for key, row in reversed(SNAPSHOT.pools.items())
        },
    )

    assert canonical_json(compile_cluster(shuffled, 5)) == canonical_json(
        compile_cluster(SNAPSHOT, 5)
    )


@given(st.lists(st.ip_addresses(), min_size=1))
def test_a_host_state_is_sorted_and_names_nothing_twice(
    addresses: list[object],
) -> None:
    rows = HostSnapshot(
        id=UUID(int=1),
        addresses=tuple(addresses),  # type: ignore[arg-type] # hypothesis types them loosely
        vips=tuple(addresses) * 2,  # type: ignore[arg-type]
        nodes=(),
    )

    state = compile_host(rows, 9)

    assert list(state.vips) == sorted(set(state.vips), key=address_key)
    assert state.endpoints == state.vips
    assert set(state.vips) == set(addresses)
