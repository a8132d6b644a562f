from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Encapsulation, Forwarding, Protocol, Scheduler
from lbaas.persistence.models import Pool
from lbaas.services import rules

spans = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=4
)


def ports(found: list[tuple[int, int]]) -> set[int]:
    return {port for first, last in found for port in range(first, last + 1)}


@given(spans, spans)
def test_overlap_is_found_exactly_when_a_port_is_common(
    wanted: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    common = ports(wanted) & ports(taken)
    found = rules.overlapping(wanted, [("other", taken)])

    assert (found is not None) == bool(common)
    if found is not None:
        assert ports([found[1]]) <= common


def test_overlap_names_the_listener_and_the_common_ports() -> None:
    others = [("a", [(80, 80)]), ("b", [(8000, 8100)])]

    assert rules.overlapping([(8090, 9000)], others) == ("b", (8090, 8100))


def test_a_member_outside_every_prefix_gets_the_allowed_ones_as_reason() -> None:
    prefixes = [ip_network("10.0.0.0/24"), ip_network("fd00::/64")]

    assert rules.outside(ip_address("10.0.0.7"), prefixes) is None
    assert rules.outside(ip_address("fd00::7"), prefixes) is None
    reason = rules.outside(ip_address("10.0.1.7"), prefixes)
    assert reason is not None
    assert "10.0.0.0/24, fd00::/64" in reason


def test_a_tenant_without_prefixes_may_have_no_member() -> None:
    reason = rules.outside(ip_address("10.0.0.7"), [])

    assert reason is not None
    assert "ask the operator" in reason


def pool(**settings: Any) -> Pool:
    tunnel = {"forwarding": Forwarding.TUNNEL, "encapsulation": Encapsulation.IPIP}
    return Pool(name="p", **{"scheduler": Scheduler.MH, "hash_ports": True, **tunnel, **settings})


GUE = {"encapsulation": Encapsulation.GUE, "gue_port": 6080}
GRE = {"encapsulation": Encapsulation.GRE}
DIRECT = {"forwarding": Forwarding.DIRECT, "encapsulation": None}
FOUR, SIX = ip_address("10.0.0.7"), ip_address("fd00::7")


@pytest.mark.parametrize("settings", [{}, GUE, GRE, DIRECT])
def test_every_way_carries_its_own_family(settings: dict[str, Any]) -> None:
    for member in (FOUR, SIX):
        assert rules.foreign(pool(**settings), member, member.version, synchronised=True) is None


@pytest.mark.parametrize(("member", "family"), [(FOUR, 6), (SIX, 4)])
def test_only_a_tunnel_of_ipip_reaches_the_other_family(member: Address, family: int) -> None:
    assert rules.foreign(pool(), member, family, synchronised=False) is None
    for settings in (GUE, GRE, DIRECT):
        reason = rules.foreign(pool(**settings), member, family, synchronised=False)
        assert reason is not None
        assert "ipip across both" in reason


def test_where_nodes_synchronise_connections_nothing_reaches_the_other_family() -> None:
    reason = rules.foreign(pool(), SIX, 4, synchronised=True)

    assert reason is not None
    assert "within one family" in reason


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, None),
        (GUE, None),
        (DIRECT, None),
        ({**DIRECT, "encapsulation": Encapsulation.GRE}, "encapsulation"),
        ({"gue_port": 6080}, "gue_port"),
        ({**GRE, "gue_port": 6080}, "gue_port"),
        ({"persistence_s": 60, "persistence_prefix_v4": 24}, None),
        ({"persistence_prefix_v4": 24}, "persistence_prefix_v4"),
        ({"persistence_prefix_v6": 64}, "persistence_prefix_v6"),
        ({"one_packet": True}, None),
        ({"one_packet": True, "persistence_s": 60}, "one_packet"),
    ],
)
def test_a_pool_that_contradicts_itself_is_told_the_field(
    settings: dict[str, Any], field: str | None
) -> None:
    no = rules.contradiction(pool(**settings))

    assert (no and no.field) == field


@pytest.mark.parametrize("protocol", list(Protocol))
def test_one_packet_is_for_udp_only(protocol: Protocol) -> None:
    no = rules.unfit(pool(one_packet=True), "dns", protocol, all_ports=False)

    assert (no is None) == (protocol is Protocol.UDP)


@pytest.mark.parametrize(
    ("kind", "port", "all_ports", "fits"),
    [
        ("tcp", None, False, True),
        ("tcp", None, True, False),
        ("tcp", 80, True, True),
        ("icmp", None, True, True),
    ],
)
def test_a_check_of_a_listener_on_all_ports_says_which(
    kind: str, port: int | None, *, all_ports: bool, fits: bool
) -> None:
    checked = pool(monitor={"kind": kind, "port": port})

    assert (rules.unfit(checked, "any", Protocol.TCP, all_ports=all_ports) is None) == fits


STICKY = {"persistence_s": 60, "hash_ports": False}


@pytest.mark.parametrize("scheduler", list(Scheduler))
def test_anything_will_do_on_one_node(scheduler: Scheduler) -> None:
    settings = {**STICKY, "hash_ports": True, "persistence_prefix_v4": 24}

    assert rules.unlike_nodes(pool(scheduler=scheduler, **settings), 1) is None


def test_on_two_nodes_only_schedulers_that_choose_alike_will_do() -> None:
    refused = {word for word in Scheduler if rules.unlike_nodes(pool(scheduler=word), 2)}

    assert refused == {Scheduler.RR, Scheduler.WRR, Scheduler.LC, Scheduler.WLC}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (STICKY, None),
        ({**STICKY, "persistence_prefix_v4": 32, "persistence_prefix_v6": 128}, None),
        ({**STICKY, "hash_ports": True}, "hash_ports"),
        ({**STICKY, "persistence_prefix_v4": 24}, "persistence_prefix_v4"),
        ({**STICKY, "persistence_prefix_v6": 64}, "persistence_prefix_v6"),
    ],
)
def test_on_two_nodes_persistence_must_choose_by_the_client_alone(
    settings: dict[str, Any], field: str | None
) -> None:
    no = rules.unlike_nodes(pool(**settings), 2)

    assert (no and no.field) == field
