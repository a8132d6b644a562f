"""Kubernetes' objects as records, and which Services a change concerns."""

from typing import Any

import pytest
from lightkube.models import core_v1 as core
from lightkube.models import discovery_v1 as discovery

from lbaas.kube import reading
from lbaas.kube.records import Key, Node, Pod, Slice
from lbaas.kube.view import View
from tests.unit.kube.samples import KEY, endpoint, service

POD = Key("shop", "a")


@pytest.fixture
def concerned() -> list[Key]:
    return []


@pytest.fixture
def view(concerned: list[Key]) -> View:
    """One Service, behind which is one pod."""
    made = View("lbaas/dsr", concerned.append)
    made.services._put(KEY, service())
    slice_ = Slice(Key("shop", "web-1"), KEY, (endpoint("10.0.0.1", pod=POD, node="rack7"),))
    made.slices._put(slice_.key, slice_)
    concerned.clear()
    return made


def test_a_pods_weight_concerns_the_services_that_it_is_behind(
    view: View, concerned: list[Key]
) -> None:
    view.pods._put(POD, Pod(POD, weight="2"))
    view.pods._put(Key("shop", "b"), Pod(Key("shop", "b"), weight="2"))
    assert concerned == [KEY]


def test_what_is_as_it_was_concerns_nobody(view: View, concerned: list[Key]) -> None:
    view.services._put(KEY, service())
    assert concerned == []


def test_a_machine_that_is_excluded_concerns_all(view: View, concerned: list[Key]) -> None:
    rack = Key("", "rack7")
    view.nodes._put(rack, Node(rack))
    concerned.clear()
    view.nodes._put(rack, Node(rack, excluded=True))
    assert concerned == [KEY]


def test_endpoints_go_with_their_slice(view: View, concerned: list[Key]) -> None:
    assert len(view.around(KEY).endpoints) == 1
    view.slices._put(Key("shop", "web-1"), None)
    assert view.around(KEY).endpoints == ()
    view.pods._put(POD, Pod(POD, weight="3"))
    assert concerned == [KEY]  # of the slice alone


def test_a_pod_is_behind_a_service_as_long_as_one_slice_names_it(
    view: View, concerned: list[Key]
) -> None:
    six = Slice(Key("shop", "web-6"), KEY, (endpoint("fd00::1", pod=POD),))
    view.slices._put(six.key, six)
    view.slices._put(Key("shop", "web-1"), None)
    concerned.clear()
    view.pods._put(POD, Pod(POD, weight="3"))
    assert concerned == [KEY]


def test_a_service_of_another_class_is_not_ours_but_was_if_it_has_our_finalizer(
    view: View, concerned: list[Key]
) -> None:
    view.services._put(KEY, service(ours=False, held=True))
    assert concerned[-1] == KEY
    concerned.clear()
    view.services._put(KEY, service(ours=False, held=False))
    view.services._put(KEY, service(ours=False, held=False, version="2"))
    assert concerned == [KEY]  # as it stopped being held, and no more after that


def read_service(spec: dict[str, Any], **metadata: Any) -> Any:
    said = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", **metadata}
    found: Any = core.Service.from_dict({"metadata": said, "spec": spec})
    return reading.service(found, "lbaas/dsr")


def test_a_service_is_ours_by_type_and_class() -> None:
    ours = {"type": "LoadBalancer", "loadBalancerClass": "lbaas/dsr", "ports": [{"port": 80}]}
    assert read_service(ours).ours
    assert not read_service({**ours, "loadBalancerClass": "other.example/lb"}).ours
    assert not read_service({**ours, "type": "ClusterIP"}).ours
    assert read_service(ours, finalizers=["lbaas/dsr"]).held


def test_a_port_without_target_port_is_its_own_target() -> None:
    spec = {
        "ports": [{"port": 80}, {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "d"}]
    }
    first, second = read_service(spec).ports
    assert (first.target, second.target, second.protocol) == (80, "d", "udp")


def test_conditions_that_are_not_said_count_as_ready() -> None:
    found: Any = discovery.EndpointSlice.from_dict(
        {
            "metadata": {
                "name": "web-1",
                "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "web"},
            },
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.0.0.1"]},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": False, "terminating": True}},
            ],
            "ports": [{"name": "http", "port": 80}],
        }
    )
    slice_ = reading.endpoint_slice(found)
    assert slice_ is not None
    assert [(each.ready, each.terminating) for each in slice_.endpoints] == [
        (True, False),
        (False, True),
    ]
    assert slice_.endpoints[0].ports == {"http": 80}
