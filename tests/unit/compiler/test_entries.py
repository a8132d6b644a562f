"""A VIP's entry: what its listeners and their pools become, and that it says no more than it must."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.compiler.entries import vip_settings
from lbaas.compiler.snapshot import ListenerRow, MemberRow, PoolRow, VipRow
from lbaas.domain.terms import Encapsulation, Forwarding, Protocol, Scheduler, WhenNoBackend
from lbaas.wire.canonical import canonical_json, canonical_json_of_sorted
from lbaas.wire.monitors import Monitor
from lbaas.wire.state import VipSettings

FOUR = MemberRow(UUID(int=1), "10.0.0.1", 1)
SIX = MemberRow(UUID(int=2), "fd00::1", 1)
MONITORS: tuple[dict[str, Any], ...] = (
    {"kind": "tcp"},
    {"kind": "icmp", "interval_s": 0.25, "timeout_s": 0.1},
    {"kind": "http"},
    {"kind": "https", "http": {"path": "/up", "host": "a", "statuses": [204, "200-201"]}},
    {"kind": "udp", "udp": {"payload": "00ff"}},
    {"kind": "dns", "dns": {"name": "example.org", "record_type": "SOA"}, "port": 53},
)


def shown(monitor: dict[str, Any]) -> dict[str, Any]:
    """As the API stores it."""
    return Monitor.model_validate(monitor).model_dump(mode="json")


def vip(pool: PoolRow, address: str = "198.51.100.1", **listener: Any) -> VipRow:
    row = ListenerRow(**{"ports": ((80, 80),), "mark": 1, "pool": pool, **listener})
    return VipRow(UUID(int=9), address, (row,))


def read(row: VipRow) -> VipSettings:
    return VipSettings.model_validate_json(canonical_json_of_sorted(vip_settings(row)))


POOLS = st.builds(
    PoolRow,
    members=st.just((FOUR._replace(node="lb1"), SIX._replace(drained_at=5))),
    monitor=st.sampled_from([None, *map(shown, MONITORS)]),
    scheduler=st.sampled_from(Scheduler),
    forwarding=st.sampled_from(Forwarding),
    encapsulation=st.sampled_from([None, *Encapsulation]),
    gue_port=st.just(6080),
    hash_ports=st.booleans(),
    persistence_s=st.none() | st.just(60),
    persistence_prefix_v4=st.none() | st.integers(1, 32),
    persistence_prefix_v6=st.none() | st.integers(1, 128),
    one_packet=st.booleans(),
    drain_deadline_s=st.none() | st.just(0),
    quorum=st.integers(1, 2),
    local=st.booleans(),
)
LISTENERS = st.builds(
    ListenerRow,
    ports=st.just(((80, 81), (22, 22))),
    mark=st.just(1),
    pool=POOLS,
    protocol=st.sampled_from(Protocol),
    allowed_sources=st.sampled_from([(), ("::/0", "0.0.0.0/0", "10.0.0.0/8")]),
    dual=st.booleans(),
    id=st.sampled_from([None, str(UUID(int=5))]),
)
VIPS = st.builds(
    VipRow,
    id=st.just(UUID(int=9)),
    address=st.sampled_from(["198.51.100.1", "2001:db8::1"]),
    listeners=st.tuples(LISTENERS),
    allowed_sources=st.sampled_from([(), ("192.0.2.0/24", "10.0.0.0/8")]),
    new_connections_per_source=st.none() | st.just(5),
    when_no_backend=st.sampled_from(WhenNoBackend),
    communities=st.sampled_from([(), ("65001:2", "65001:1", "65001:2")]),
)


@given(VIPS)
def test_an_entry_is_canonical_and_leaves_out_every_default(row: VipRow) -> None:
    entry = canonical_json_of_sorted(vip_settings(row))
    understood = VipSettings.model_validate_json(entry)

    assert entry == canonical_json(json.loads(entry))
    # A monitor's port has no default, but is null for icmp.
    assert entry == canonical_json(understood.model_dump(mode="json", exclude_defaults=True))


def test_a_plain_vip_says_no_more_than_where_its_packets_go() -> None:
    assert vip_settings(vip(PoolRow((FOUR,)))) == {
        "address": "198.51.100.1",
        "listeners": [
            {
                "mark": 1,
                "protocol": "tcp",
                "ports": [{"first": 80, "last": 80}],
                "scheduler": "mh",
                "forwarding": "tunnel",
                "backends": [{"address": "10.0.0.1", "weight": 1}],
            }
        ],
    }


def test_where_members_are_is_said_for_a_local_pool_alone() -> None:
    members = (FOUR._replace(node="lb1"), FOUR._replace(id=UUID(int=3), address="10.0.0.3"))
    for local, nodes in ((True, ["lb1", None]), (False, [None, None])):
        [listener] = read(vip(PoolRow(members, local=local))).listeners
        assert listener.local is local
        assert [backend.node for backend in listener.backends] == nodes


def test_a_listener_is_named_by_its_id_where_the_row_has_one() -> None:
    [listener] = read(vip(PoolRow((FOUR,)), id=str(UUID(int=5)))).listeners

    assert listener.id == UUID(int=5)


def test_a_listener_of_two_vips_has_for_each_the_members_and_sources_of_its_family() -> None:
    pool = PoolRow(
        (FOUR, SIX), persistence_s=60, persistence_prefix_v4=24, persistence_prefix_v6=64
    )
    sources = ("2001:db8::/32", "192.0.2.0/24")

    for address, member, source, length in (
        ("198.51.100.1", "10.0.0.1", "192.0.2.0/24", 24),
        ("2001:db8::1", "fd00::1", "2001:db8::/32", 64),
    ):
        [listener] = read(vip(pool, address, dual=True, allowed_sources=sources)).listeners
        assert [str(backend.address) for backend in listener.backends] == [member]
        assert [str(prefix) for prefix in listener.sources] == [source]
        assert listener.affinity.persistence_prefix == length


def test_a_listener_of_one_vip_has_the_members_of_both_families() -> None:
    [listener] = read(vip(PoolRow((SIX, FOUR)))).listeners

    assert [str(backend.address) for backend in listener.backends] == ["10.0.0.1", "fd00::1"]


@pytest.mark.parametrize(("deadline_s", "until"), [(None, None), (0, 1000), (30, 1030)])
def test_a_drained_member_stays_until_its_deadline_if_there_is_one(
    deadline_s: int | None, until: int | None
) -> None:
    drained = FOUR._replace(weight=7, drained_at=1000)

    [listener] = read(vip(PoolRow((drained,), drain_deadline_s=deadline_s))).listeners

    [backend] = listener.backends
    assert (backend.weight, backend.drain_until) == (0, until)


def test_a_monitor_without_a_port_checks_the_listeners_first() -> None:
    pool = PoolRow((FOUR,), shown({"kind": "tcp"}))
    [listener] = read(vip(pool, ports=((8080, 8090), (443, 443)))).listeners
    assert listener.monitor is not None
    assert listener.monitor.port == 443

    pool = PoolRow((FOUR,), shown({"kind": "tcp", "port": 9}))
    [listener] = read(vip(pool)).listeners
    assert listener.monitor is not None
    assert listener.monitor.port == 9


def test_a_monitor_of_http_always_says_what_it_asks() -> None:
    [plain] = read(vip(PoolRow((FOUR,), shown({"kind": "http"})))).listeners
    [other] = read(vip(PoolRow((FOUR,), shown(MONITORS[3])))).listeners

    assert plain.monitor is not None
    assert other.monitor is not None
    assert plain.monitor.http is not None
    assert plain.monitor.http.statuses == ((200, 399),)
    assert other.monitor.http is not None
    assert other.monitor.http.statuses == ((200, 201), (204, 204))
    assert other.monitor.interval_ms == 5000
