"""The controller between a strict API server of Kubernetes and a live lbaas, driven by real kubectl."""

from collections.abc import Iterator
from itertools import count

import pytest

from lbaas.client.api import ApiClient, ApiProblem
from tests.kube_api.world import Behind, World, eventually, pods, world

from .conftest import Json, LiveServer, Site, make_site, unique

_names = count(1)


@pytest.fixture(scope="module")
def kube_site(server: LiveServer, admin: ApiClient) -> Iterator[Site]:
    with make_site(server, admin) as made:
        yield made


@pytest.fixture(scope="module")
def tenant(kube_site: Site) -> ApiClient:
    return kube_site.member()


def pools_of(site: Site) -> dict[str, str]:
    return {"LBAAS_ADDRESS_POOL_V4": site.v4["id"], "LBAAS_ADDRESS_POOL_V6": site.v6["id"]}


@pytest.fixture(scope="module")
def kube(
    kube_site: Site, tenant: ApiClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A cluster with a controller at work. Each test has Services of its own."""
    with world(tmp_path_factory.mktemp("kube"), unique("ns")) as made:
        made.start_controller(tenant, kube_site.server.url, **pools_of(kube_site))
        yield made


@pytest.fixture
def name() -> str:
    """Of a Service that no other test has."""
    return f"web-{next(_names)}"


class Lbaas:
    """What lbaas has for one Service."""

    def __init__(self, tenant: ApiClient, kube: World, name: str) -> None:
        self._tenant = tenant
        self._selector = f"kubernetes/namespace={kube.namespace},kubernetes/service={name}"

    @property
    def vips(self) -> list[Json]:
        return list(self._tenant.get("/v1/vips", labels=self._selector)["items"])

    @property
    def pools(self) -> list[Json]:
        return list(self._tenant.get("/v1/pools", labels=self._selector)["items"])

    @property
    def members(self) -> dict[str, tuple[int, str]]:
        """Weight and state by address; empty as long as there is no pool."""
        return {
            each["address"]: (each["weight"], each["admin_state"])
            for pool in self.pools
            for each in self._tenant.get(f"/v1/pools/{pool['id']}/members", limit=1000)["items"]
        }


@pytest.fixture
def lbaas(tenant: ApiClient, kube: World, name: str) -> Lbaas:
    return Lbaas(tenant, kube, name)


def test_an_applied_service_gets_a_vip_with_its_ports_and_ready_pods(
    kube: World, lbaas: Lbaas, name: str
) -> None:
    kube.put_behind(name, *pods(2))
    kube.apply(name, 80, 443)
    eventually(lambda: kube.ingress(name))
    (vip,) = lbaas.vips
    assert kube.ingress(name) == [vip["address"]]
    (listener,) = vip["listeners"]
    assert [span["first"] for span in listener["ports"]] == [80, 443]
    assert lbaas.members == {"10.0.20.1": (1, "active"), "10.0.20.2": (1, "active")}
    assert kube.shown(name)["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "Proxy"
    assert "lbaas/dsr" in kube.shown(name)["metadata"]["finalizers"]


def test_pods_come_drain_and_go(kube: World, lbaas: Lbaas, name: str) -> None:
    kube.apply(name)
    kube.put_behind(name, *pods(2))
    eventually(lambda: len(lbaas.members) == 2)
    (pool,) = lbaas.pools
    leaving = Behind("10.0.20.1", ready=False, terminating=True)
    coming = Behind("10.0.20.3", ready=False)
    kube.put_behind(name, leaving, Behind("10.0.20.2"), coming)
    expected = {
        "10.0.20.1": (1, "drained"),
        "10.0.20.2": (1, "active"),
        "10.0.20.3": (0, "active"),
    }
    eventually(lambda: lbaas.members == expected)
    kube.put_behind(name, Behind("10.0.20.2"), Behind("10.0.20.3"))
    eventually(lambda: lbaas.members == {f"10.0.20.{n}": (1, "active") for n in (2, 3)})
    assert [each["id"] for each in lbaas.pools] == [pool["id"]]


def test_a_deleted_service_leaves_nothing(kube: World, lbaas: Lbaas, name: str) -> None:
    kube.put_behind(name, *pods(1))
    kube.apply(name)
    eventually(lambda: kube.ingress(name))
    kube.kubectl("delete", "service", name, "--wait=false")
    eventually(lambda: kube.is_gone(name))
    assert (lbaas.vips, lbaas.pools) == ([], [])


def test_another_target_port_is_refused_with_an_event_that_explains_it(
    kube: World, lbaas: Lbaas, name: str
) -> None:
    kube.apply(name, ports=[{"port": 80, "targetPort": 8080}])
    eventually(lambda: kube.condition(name).get("reason") == "PortTranslation")
    ((reason, message),) = kube.events(name)
    assert reason == "PortTranslation"
    assert "Direct Server Return" in message
    assert lbaas.vips == []
    kube.apply(name, ports=[{"port": 80, "targetPort": 80}])
    eventually(lambda: kube.ingress(name))


def test_what_lbaas_refuses_is_an_event_in_its_own_words(
    kube: World, kube_site: Site, tenant: ApiClient, name: str
) -> None:
    elsewhere = "203.0.113.9"
    kube.apply(name, loadBalancerIP=elsewhere)
    body = {"name": unique("v"), "address": elsewhere, "address_pool_id": kube_site.v4["id"]}
    with pytest.raises(ApiProblem) as refused:
        tenant.vips.create(body)
    said = refused.value.detail
    eventually(lambda: any(message.startswith(said) for _, message in kube.events(name)))
    eventually(lambda: kube.condition(name).get("status") == "False")
    kube.put_behind(name, *pods(1))
    kube.apply(name)
    eventually(lambda: kube.ingress(name))


def test_both_families_are_served_by_one_listener(kube: World, lbaas: Lbaas, name: str) -> None:
    kube.put_behind(name, *pods(1))
    kube.put_behind(name, Behind("fd00:20::1"), family=6)
    both = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}
    kube.apply(name, 80, **both, loadBalancerSourceRanges=["192.0.2.0/24"])
    eventually(lambda: len(kube.ingress(name)) == 2)
    four, six = sorted(lbaas.vips, key=lambda vip: ":" in vip["address"])
    assert kube.ingress(name) == [four["address"], six["address"]]
    assert [each["id"] for each in four["listeners"]] == [each["id"] for each in six["listeners"]]
    assert (four["allowed_sources"], six["allowed_sources"]) == (["192.0.2.0/24"], ["100::/64"])
    kube.apply(name, 80, ipFamilyPolicy="SingleStack", ipFamilies=["IPv4"])
    eventually(lambda: [vip["id"] for vip in lbaas.vips] == [four["id"]])
    eventually(lambda: kube.ingress(name) == [four["address"]])


def test_client_affinity_persists_for_its_time(kube: World, lbaas: Lbaas, name: str) -> None:
    kube.apply(name, sessionAffinity="ClientIP")
    eventually(lambda: lbaas.pools)
    (pool,) = lbaas.pools
    assert (pool["persistence_s"], pool["hash_ports"]) == (10800, False)
    kube.apply(name, sessionAffinity="None")
    eventually(lambda: [each["persistence_s"] for each in lbaas.pools] == [None])


def test_a_pod_weighs_what_its_annotation_says(kube: World, lbaas: Lbaas, name: str) -> None:
    kube.add_pod(f"{name}-a", weight="5")
    kube.put_behind(name, Behind("10.0.20.1", pod=f"{name}-a"))
    kube.apply(name)
    eventually(lambda: lbaas.members == {"10.0.20.1": (5, "active")})
    kube.kubectl("annotate", "pod", f"{name}-a", "lbaas/weight=9", "--overwrite")
    eventually(lambda: lbaas.members == {"10.0.20.1": (9, "active")})


def test_a_service_that_becomes_another_class_of_service_is_let_go(
    kube: World, lbaas: Lbaas, name: str
) -> None:
    kube.apply(name)
    eventually(lambda: kube.ingress(name))
    changes = '{"spec": {"type": "ClusterIP", "loadBalancerClass": null}}'
    kube.kubectl("patch", "service", name, "--type=merge", "-p", changes)
    eventually(lambda: not kube.shown(name)["metadata"].get("finalizers"))
    assert kube.ingress(name) == []
    assert (lbaas.vips, lbaas.pools) == ([], [])


def test_a_watch_that_is_too_old_is_begun_anew(kube: World, lbaas: Lbaas, name: str) -> None:
    kube.apply(name)
    eventually(lambda: kube.ingress(name))
    kube.api.store.compact()
    kube.put_behind(name, *pods(1))
    eventually(lambda: len(lbaas.members) == 1)
