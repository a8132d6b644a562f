"""Pods are namespaces on a machine of the lab: ``kubectl apply``, and packets arrive with the client's address.

LBAAS_KUBE_PODS says up to how many pods the Deployment grows under traffic (4).
"""

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from lbaas.client.api import Json
from lbaas.domain.terms import Verdict
from lbaas.explain.spoken import flow_of
from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e import pods
from tests.e2e.balanced import CLIENT, PATIENT_S, PORT, eventually, next_hops, wait_programmed
from tests.e2e.clients import Clients
from tests.e2e.pod_nodes import nodes_with_pods
from tests.kube_api.deployment import Deployment
from tests.kube_api.world import Behind, World, world

SERVICE = "shop"
FEW, MANY, SOME = 2, int(os.environ.get("LBAAS_KUBE_PODS", "4")), 3
FLOWS = 6
GRACE_S = 30  # terminationGracePeriodSeconds where nothing else is said
DUAL = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}


def answers(site: Site, vip: str, count: int = 12) -> set[tuple[str, str]]:
    """Who answers new connections now, and whom it sees; a pair of nothing where one fails."""
    found = [site.lab.fetch(CLIENT, vip, PORT, timeout_s=PATIENT_S) for _ in range(count)]
    return {(each.backend, each.client) for each in found}


def answering(site: Site, vip: str) -> set[str]:
    """The names alone."""
    return {name for name, _ in answers(site, vip)}


def reasons(kube: World) -> list[str]:
    """Of the Service's conditions."""
    return [each["reason"] for each in kube.conditions(SERVICE)]


def put_behind(kube: World, places: Mapping[str, pods.PodAddress], ready: Collection[str]) -> None:
    """A pod on each node, ready on those of *ready*."""
    for family in (4, 6):
        behind = (
            Behind(pod.address(family), node in ready, node=node, port=PORT)
            for node, pod in places.items()
        )
        kube.put_behind(SERVICE, *behind, family=family)


@dataclass(frozen=True)
class Shop:
    """A dual-stack Service with a Deployment behind it, on one machine of the lab."""

    site: Site
    kube: World
    deployment: Deployment
    places: Sequence[pods.PodAddress]

    @property
    def client4(self) -> str:
        (client,) = self.site.lab.topology.of(Role.CLIENT)
        return str(client.address4)

    @property
    def vips(self) -> list[str]:
        return self.kube.ingress(SERVICE)

    def seen_at(self, vip: str) -> set[str]:
        """Whom those see who answer."""
        return {client for _, client in answers(self.site, vip)}

    def programmed(self) -> bool:
        """Its members take flows, and every node knows of it."""
        ready = [member["weight"] for member in members_of(self.site, self.kube)]
        if ready.count(1) < 2 * len(self.deployment.pods):
            return False
        wait_for_nodes(self.site, self.kube)
        return True

    @contextmanager
    def busy(self) -> Iterator[None]:
        """New connections are made to each VIP meanwhile, and none of them fails."""
        clients = [Clients(self.site, vip, every_ms=100) for vip in self.vips]
        yield
        assert [each for one in clients for each in one.failures()] == []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Connections to each VIP live as long."""
        flows = [self.site.lab.flows(CLIENT, vip, PORT, FLOWS) for vip in self.vips]
        for each in flows:
            eventually(lambda each=each: all(flow.exchanged for flow in each.read()))  # type: ignore[misc]  # bound now
        yield
        for each in flows:
            assert [flow.error for flow in each.stop() if not flow.alive] == []

    def delete(self) -> None:
        self.kube.kubectl("delete", "service", SERVICE, "--wait=false")
        eventually(lambda: self.kube.is_gone(SERVICE))


def explained(shop: Shop) -> set[str]:
    """The pods that `lbaas explain` finds well, all the way from the tunnel to the reply."""
    (vip,) = shop.site.tenant.get("/v1/vips", address=shop.vips[0])["items"]
    flow = flow_of(f"{shop.client4}:40000", f"{shop.vips[0]}:{PORT}/tcp")
    hops = shop.site.tenant.explain(vip["id"], flow, PATIENT_S).hops
    stages: dict[str, set[Verdict]] = defaultdict(set)
    for hop in hops:
        if hop.machine == pods.MACHINE:
            stages[hop.stage.rpartition(", pod ")[2]].add(hop.verdict)
    return {pod.name for pod in shop.places if stages.get(pod.v4) == {Verdict.OK}}


def members_of(site: Site, kube: World) -> list[Json]:
    """Those of the Service, of both families."""
    (pool,) = site.tenant.get("/v1/pools", labels=labels(kube))["items"]
    return list(site.tenant.get(f"/v1/pools/{pool['id']}/members", limit=1000)["items"])


def wait_for_nodes(site: Site, kube: World) -> None:
    """Every node and host holds the newest change of the Service's VIPs."""
    for vip in site.tenant.get("/v1/vips", labels=labels(kube))["items"]:
        wait_programmed(site, vip)


def labels(kube: World) -> str:
    """What the Service's objects in lbaas are found by."""
    return f"kubernetes/namespace={kube.namespace}"


class Ending:
    """A pod's end as its kubelet has it: it gets no new connections, ends those that it has, and is gone."""

    def __init__(self, site: Site, kube: World, places: Sequence[pods.PodAddress]) -> None:
        self._site, self._kube, self._places = site, kube, places

    def __call__(self, names: Sequence[str]) -> None:
        eventually(lambda: self._are_drained(names))
        wait_for_nodes(self._site, self._kube)
        for name in names:
            self._await_silence(name)
            pods.end(self._site, name)

    def _await_silence(self, name: str) -> None:
        """As long as a kubelet waits: a client that went away without a word would hold the pod for ever."""
        until_s = time.monotonic() + GRACE_S
        while pods.has_connections(self._site, name) and time.monotonic() < until_s:
            time.sleep(0.1)

    def _are_drained(self, names: Sequence[str]) -> bool:
        """Those pods' own members, of both families: one that ended before may not be away yet."""
        ending = [each for each in self._places if each.name in names]
        addresses = {each.address(family) for each in ending for family in (4, 6)}
        members = members_of(self._site, self._kube)
        return addresses <= {
            each["address"] for each in members if each["admin_state"] == "drained"
        }


@contextmanager
def cluster(site: Site, directory: Path) -> Iterator[World]:
    """A cluster with a controller at work."""
    pools = {
        f"LBAAS_ADDRESS_POOL_V{family}": str(pool) for family, pool in site.inventory.pools.items()
    }
    with world(directory, f"ns-{uuid4().hex[:8]}") as kube:
        kube.start_controller(site.tenant, site.server.url, **pools)
        yield kube


@pytest.fixture
def shop(site: Site, tmp_path: Path) -> Iterator[Shop]:
    places = pods.machine_with_pods(site, MANY + SOME)
    with places as found, cluster(site, tmp_path) as kube:
        deployment = Deployment(kube, SERVICE, found, PORT, Ending(site, kube, found))
        kube.apply(SERVICE, PORT, **DUAL)
        yield Shop(site, kube, deployment, found)


def test_pods_answer_themselves_and_come_and_go_without_a_failed_connection(shop: Shop) -> None:
    (client,) = shop.site.lab.topology.of(Role.CLIENT)
    shop.deployment.order(FEW)
    eventually(lambda: len(shop.vips) == 2)
    for vip, seen in zip(shop.vips, (client.address4, client.address6), strict=True):
        eventually(lambda vip=vip, seen=seen: shop.seen_at(vip) == {str(seen)})  # type: ignore[misc]  # bound now
    eventually(shop.programmed)
    with shop.busy():
        with shop.held():
            shop.deployment.order(MANY)
        shop.deployment.order(SOME)
        shop.deployment.order(SOME, version="2")
    for vip in shop.vips:
        eventually(lambda vip=vip: answering(shop.site, vip) <= set(shop.deployment.pods))  # type: ignore[misc]  # bound now
    eventually(lambda: explained(shop) == set(shop.deployment.pods))
    shop.delete()


def test_with_local_pods_a_node_sends_to_those_on_its_own_machine(
    site: Site, tmp_path: Path
) -> None:
    """And it announces the VIP as long as it has one that takes flows."""
    with nodes_with_pods(site) as places, cluster(site, tmp_path) as kube:
        one, other = places
        machines = site.lab.topology.of(Role.NODE)
        nodes = {each.name: {4: each.address4, 6: each.address6} for each in machines}
        put_behind(kube, places, {one})
        kube.apply(SERVICE, PORT, **DUAL, externalTrafficPolicy="Local")
        eventually(lambda: len(kube.ingress(SERVICE)) == 2)
        for ready in ({one}, {one, other}, {other}):
            put_behind(kube, places, ready)
            names = {places[node].name for node in ready}
            for family, vip in zip((4, 6), kube.ingress(SERVICE), strict=True):
                ways = {str(nodes[each][family]) for each in ready}
                eventually(lambda vip=vip, ways=ways: next_hops(site, vip) == ways)  # type: ignore[misc]  # bound now
                eventually(lambda vip=vip, names=names: answering(site, vip) == names)  # type: ignore[misc]  # bound now
        for node, elsewhere in ((one, other), (other, one)):
            listed = site.lab.run(node, ["ipvsadm", "-Sn"]).stdout
            assert f"{places[elsewhere].v4}:0" not in listed
        eventually(lambda: reasons(kube) == ["OnNodes", "Programmed"])
        kube.kubectl("delete", "service", SERVICE, "--wait=false")
        eventually(lambda: kube.is_gone(SERVICE))
