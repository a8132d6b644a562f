"""What a Service asks of lbaas."""

from ipaddress import ip_address
from typing import Any

import pytest

from lbaas.domain.terms import Protocol
from lbaas.kube.desired import Owner, Unservable, Wanted, WantedMember, owner_of, wanted
from lbaas.kube.records import Endpoint, Key, Node, Pod, Port
from tests.unit.kube.samples import KEY, OWNER, around, endpoint, port, service


def want(*endpoints: Endpoint, ports: tuple[Port, ...] = (), **said: Any) -> Wanted:
    return wanted(service(*ports, **said), around(*endpoints), OWNER, {})


def refusal(*endpoints: Endpoint, ports: tuple[Port, ...] = (), **said: Any) -> Unservable:
    with pytest.raises(Unservable) as refused:
        want(*endpoints, ports=ports, **said)
    return refused.value


def test_all_ports_of_a_protocol_are_one_listener_so_that_affinity_spans_them() -> None:
    found = want(ports=(port(443), port(80), port(53, protocol=Protocol.UDP)))
    assert found.ports == {Protocol.TCP: (80, 443), Protocol.UDP: (53,)}


@pytest.mark.parametrize(
    "endpoints_and_target",
    [((), 8080), ((endpoint("10.0.0.1", ports={"p80": 8080}),), "http")],
    ids=["a number", "a name"],
)
def test_another_target_port_is_refused_with_the_reason(
    endpoints_and_target: tuple[tuple[Endpoint, ...], int | str],
) -> None:
    endpoints, target = endpoints_and_target
    no = refusal(*endpoints, ports=(port(80, target),))
    assert no.reason == "PortTranslation"
    assert "Direct Server Return" in no.message
    assert "8080" in no.message


def test_a_named_target_port_of_the_same_number_is_served() -> None:
    assert want(endpoint("10.0.0.1", ports={"p80": 80}), ports=(port(80, "http"),)).members


def test_a_pod_that_is_not_ready_has_its_alias_and_no_flows_and_one_that_leaves_drains() -> None:
    found = want(
        endpoint("10.0.0.1"),
        endpoint("10.0.0.2", ready=False),
        endpoint("10.0.0.3", ready=False, terminating=True),
    )
    assert found.members == {
        ip_address("10.0.0.1"): WantedMember(1),
        ip_address("10.0.0.2"): WantedMember(0),
        ip_address("10.0.0.3"): WantedMember(1, drained=True),
    }


def test_pods_on_excluded_machines_drain() -> None:
    nodes = (Node(Key("", "rack7"), excluded=True),)
    found = wanted(service(), around(endpoint("10.0.0.1", node="rack7"), nodes=nodes), OWNER, {})
    assert found.members == {ip_address("10.0.0.1"): WantedMember(1, drained=True)}


def test_pods_of_a_local_service_say_on_which_lbaas_node_they_are() -> None:
    nodes = (Node(Key("", "rack7"), balancer="lb7"),)
    places = {"10.0.0.1": "rack7", "10.0.0.2": "rack8", "10.0.0.3": "", "10.0.0.4": 64 * "x"}
    pods = [endpoint(address, node=node) for address, node in places.items()]
    for local, said in ((True, ["lb7", "rack8", None, None]), (False, [None] * 4)):
        found = wanted(service(local=local), around(*pods, nodes=nodes), OWNER, {})
        assert [member.node for member in found.members.values()] == said
        assert found.pool["local"] is local


def test_a_pods_weight_is_its_annotation() -> None:
    pod = Pod(Key("shop", "a"), weight="7")
    found = wanted(service(), around(endpoint("10.0.0.1", pod=pod.key), pods=(pod,)), OWNER, {})
    assert found.members == {ip_address("10.0.0.1"): WantedMember(7)}


@pytest.mark.parametrize("weight", ["heavy", "-1", "1001", "1.5", "²"])
def test_a_weight_that_is_none_is_refused(weight: str) -> None:
    pod = Pod(Key("shop", "a"), weight=weight)
    with pytest.raises(Unservable, match="no number from 0 to 1000"):
        wanted(service(), around(endpoint("10.0.0.1", pod=pod.key), pods=(pod,)), OWNER, {})


def test_in_the_moment_between_two_slices_an_address_serves_if_one_of_them_says_so() -> None:
    found = want(endpoint("10.0.0.1", ready=False), endpoint("10.0.0.1"))
    assert found.members == {ip_address("10.0.0.1"): WantedMember(1)}


def test_client_affinity_hashes_addresses_alone() -> None:
    pool = want(affinity_s=600).pool
    assert (pool["persistence_s"], pool["hash_ports"]) == (600, False)


def test_source_ranges_of_one_family_leave_nobody_of_the_other() -> None:
    found = want(families=(4, 6), source_ranges=("192.0.2.0/24", " 10.0.0.0/8"))
    assert [vip.settings["allowed_sources"] for vip in found.vips] == [
        ["10.0.0.0/8", "192.0.2.0/24"],
        ["100::/64"],
    ]
    assert [vip.settings["allowed_sources"] for vip in want(families=(4, 6)).vips] == [[], []]


def test_an_address_may_be_asked_for_of_each_family() -> None:
    found = want(
        families=(4, 6),
        annotations={"lbaas/address": "2001:db8::7, 198.51.100.7"},
        requested="1.2.3.4",
    )
    assert [str(vip.address) for vip in found.vips] == ["198.51.100.7", "2001:db8::7"]
    assert [str(vip.address) for vip in want(requested="198.51.100.9").vips] == ["198.51.100.9"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"requested": "example.org"}, "InvalidAddress"),
        ({"requested": "2001:db8::7"}, "InvalidAddress"),
        ({"source_ranges": ("192.0.2.1/24",)}, "InvalidSourceRange"),
        ({"annotations": {"lbaas/scheduler": "magic"}}, "InvalidAnnotation"),
        ({"annotations": {"lbaas/monitor": "{"}}, "InvalidAnnotation"),
        ({"annotations": {"lbaas/monitor": '{"kind": "ping"}'}}, "InvalidAnnotation"),
        ({"annotations": {"lbaas/drain-deadline-s": "-1"}}, "InvalidAnnotation"),
    ],
)
def test_what_can_not_be_is_refused_with_a_reason(said: dict[str, Any], reason: str) -> None:
    assert refusal(**said).reason == reason


def test_annotations_set_the_pools_fields_and_defaults_come_back_without_them() -> None:
    annotations = {
        "lbaas/monitor": '{"kind": "http", "http": {"path": "/healthz"}}',
        "lbaas/drain-deadline-s": "30",
        "lbaas/encapsulation": "gue",
    }
    pool = want(annotations=annotations).pool
    assert pool["monitor"]["http"]["path"] == "/healthz"
    assert (pool["drain_deadline_s"], pool["encapsulation"], pool["gue_port"]) == (30, "gue", 6080)
    without = want().pool
    assert (without["monitor"], without["drain_deadline_s"]) == (None, None)
    assert (without["encapsulation"], without["gue_port"]) == ("ipip", None)


def test_names_fit_and_no_two_services_have_the_same() -> None:
    keys = [
        Key("n" * 63, "s" * 63),
        Key("n" * 63, "s" * 62 + "t"),
        Key("a", "b.c"),
        Key("a.b", "c"),
    ]
    names = {Owner("cluster-1", key).name("v6", "f" * 32) for key in keys}
    assert len(names) == len(keys)
    assert max(map(len, names)) <= 63


def test_an_owner_is_found_again_by_its_labels() -> None:
    assert owner_of("cluster-1", OWNER.labels) == OWNER
    assert owner_of("cluster-2", OWNER.labels) is None
    assert owner_of("cluster-1", {}) is None
    assert OWNER.key == KEY
