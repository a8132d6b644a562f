"""A VIP's entry: what its listeners and their pools become, and that it says no more than it must."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.compiler.entries import vip_settings
from lbaas.compiler.snapshot import ListenerRow, MemberRow, ServiceRow, VipRow
from lbaas.domain.terms import Encapsulation, Forwarding, Protocol, Scheduler, WhenNoBackend
from lbaas.wire.canonical import canonical_json, canonical_json_of_sorted
from lbaas.wire.monitors import Monitor
from lbaas.wire.state import VipSettings

FOUR: MemberRow = {"address": "10.0.0.1", "weight": 1}
SIX: MemberRow = {"address": "fd00::1", "weight": 1}
LISTENER = str(UUID(int=5))
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


def vip(service: ServiceRow, *members: MemberRow, address: str = "198.51.100.1") -> VipRow:
    return VipRow(str(UUID(int=9)), address, (ListenerRow(LISTENER, 1, service, members),))


def service(**settings: Any) -> ServiceRow:
    return ServiceRow(**{"ports": ((80, 80),), **settings})


def read(row: VipRow) -> VipSettings:
    return VipSettings.model_validate_json(canonical_json_of_sorted(vip_settings(row)))


SERVICES = st.builds(
    ServiceRow,
    ports=st.just(((80, 81), (22, 22))),
    protocol=st.sampled_from(Protocol),
    allowed_sources=st.sampled_from([(), ("::/0", "0.0.0.0/0", "10.0.0.0/8")]),
    dual=st.booleans(),
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
    id=st.just(LISTENER),
    mark=st.just(1),
    service=SERVICES,
    members=st.just(({**FOUR, "node": "lb1"}, {**SIX, "drained_at": 5}, SIX)),
)
VIPS = st.builds(
    VipRow,
    id=st.just(str(UUID(int=9))),
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
    assert vip_settings(vip(service(), FOUR)) == {
        "address": "198.51.100.1",
        "listeners": [
            {
                "id": LISTENER,
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
    members: tuple[MemberRow, ...] = ({**FOUR, "node": "lb1"}, {**FOUR, "address": "10.0.0.3"})
    for local, nodes in ((True, ["lb1", None]), (False, [None, None])):
        [listener] = read(vip(service(local=local), *members)).listeners
        assert listener.local is local
        assert [backend.node for backend in listener.backends] == nodes


def test_a_listener_of_two_vips_has_for_each_the_members_and_sources_of_its_family() -> None:
    both = service(
        dual=True,
        allowed_sources=("2001:db8::/32", "192.0.2.0/24"),
        persistence_s=60,
        persistence_prefix_v4=24,
        persistence_prefix_v6=64,
    )

    for address, member, source, length in (
        ("198.51.100.1", "10.0.0.1", "192.0.2.0/24", 24),
        ("2001:db8::1", "fd00::1", "2001:db8::/32", 64),
    ):
        [listener] = read(vip(both, FOUR, SIX, address=address)).listeners
        assert [str(backend.address) for backend in listener.backends] == [member]
        assert [str(prefix) for prefix in listener.sources] == [source]
        assert listener.affinity.persistence_prefix == length


def test_a_listener_of_one_vip_has_the_members_of_both_families() -> None:
    [listener] = read(vip(service(), FOUR, SIX)).listeners

    assert [str(backend.address) for backend in listener.backends] == ["10.0.0.1", "fd00::1"]


@pytest.mark.parametrize(("deadline_s", "until"), [(None, None), (0, 1000), (30, 1030)])
def test_a_drained_member_stays_until_its_deadline_if_there_is_one(
    deadline_s: int | None, until: int | None
) -> None:
    drained: MemberRow = {**FOUR, "weight": 7, "drained_at": 1000}

    [listener] = read(vip(service(drain_deadline_s=deadline_s), drained)).listeners

    [backend] = listener.backends
    assert (backend.weight, backend.drain_until) == (0, until)


def test_a_monitor_without_a_port_checks_the_listeners_first() -> None:
    checked = service(ports=((8080, 8090), (443, 443)), monitor=shown({"kind": "tcp"}))
    [listener] = read(vip(checked, FOUR)).listeners
    assert listener.monitor is not None
    assert listener.monitor.port == 443

    checked = service(monitor=shown({"kind": "tcp", "port": 9}))
    [listener] = read(vip(checked, FOUR)).listeners
    assert listener.monitor is not None
    assert listener.monitor.port == 9


def test_a_monitor_of_http_always_says_what_it_asks() -> None:
    [plain] = read(vip(service(monitor=shown({"kind": "http"})), FOUR)).listeners
    [other] = read(vip(service(monitor=shown(MONITORS[3])), FOUR)).listeners

    assert plain.monitor is not None
    assert other.monitor is not None
    assert plain.monitor.http is not None
    assert plain.monitor.http.statuses == ((200, 399),)
    assert other.monitor.http is not None
    assert other.monitor.http.statuses == ((200, 201), (204, 204))
    assert other.monitor.interval_ms == 5000
