"""Pods are namespaces on a machine of the lab: ``kubectl apply``, and packets arrive with the client's address.

LBAAS_KUBE_PODS says up to how many pods the Deployment grows under traffic (4).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from lbaas.lab.handles import Load
from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e import pods
from tests.e2e.balanced import CLIENT, PATIENT_S, PORT, eventually, wait_programmed
from tests.kube_api.deployment import Deployment
from tests.kube_api.world import World, world

SERVICE = "shop"
FEW, MANY, SOME = 2, int(os.environ.get("LBAAS_KUBE_PODS", "4")), 3
FLOWS = 6


@dataclass(frozen=True)
class Shop:
    """A dual-stack Service with a Deployment behind it, on one machine of the lab."""

    site: Site
    kube: World
    deployment: Deployment

    @property
    def vips(self) -> list[str]:
        return self.kube.ingress(SERVICE)

    def answering(self, vip: str, count: int = 12) -> set[tuple[str, str]]:
        """Who answered new connections, and whom it saw."""
        fetch = partial(self.site.lab.fetch, CLIENT, vip, PORT, timeout_s=PATIENT_S)
        found = [fetch() for _ in range(count)]
        assert all(each.ok for each in found), [each.error for each in found if not each.ok]
        return {(each.backend, each.client) for each in found}

    @contextmanager
    def busy(self) -> Iterator[None]:
        """New connections are made to each VIP meanwhile, and none of them fails."""
        begin = partial(self.site.lab.load, CLIENT, port=PORT, every_ms=100, timeout_s=PATIENT_S)
        loads: list[Load] = [begin(address=vip) for vip in self.vips]
        yield
        attempts = [attempt for load in loads for attempt in load.stop()]
        assert attempts
        assert [each.error for each in attempts if not each.ok] == []

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


class Ending:
    """A pod's end as its kubelet has it: it gets no new connections, ends those that it has, and is gone."""

    def __init__(self, site: Site, kube: World) -> None:
        self._site = site
        self._of_service = {"labels": f"kubernetes/namespace={kube.namespace}"}

    def __call__(self, names: Sequence[str]) -> None:
        eventually(lambda: self._drained() >= 2 * len(names))
        for vip in self._site.tenant.get("/v1/vips", **self._of_service)["items"]:
            wait_programmed(self._site, vip)
        for name in names:
            eventually(lambda name=name: not pods.has_connections(self._site, name))  # type: ignore[misc]  # bound now
            pods.end(self._site, name)

    def _drained(self) -> int:
        """Members of both families that are drained."""
        (pool,) = self._site.tenant.get("/v1/pools", **self._of_service)["items"]
        members = self._site.tenant.get(f"/v1/pools/{pool['id']}/members", limit=1000)["items"]
        return sum(each["admin_state"] == "drained" for each in members)


@pytest.fixture
def shop(site: Site, tmp_path: Path) -> Iterator[Shop]:
    pools = {
        f"LBAAS_ADDRESS_POOL_V{family}": str(pool) for family, pool in site.inventory.pools.items()
    }
    places = pods.machine_with_pods(site, MANY + SOME)
    with places as found, world(tmp_path, f"ns-{uuid4().hex[:8]}") as kube:
        kube.start_controller(site.tenant, site.server.url, **pools)
        deployment = Deployment(kube, SERVICE, found, PORT, Ending(site, kube))
        kube.apply(SERVICE, PORT, ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv4", "IPv6"])
        yield Shop(site, kube, deployment)


def test_pods_answer_themselves_and_come_and_go_without_a_failed_connection(shop: Shop) -> None:
    (client,) = shop.site.lab.topology.of(Role.CLIENT)
    shop.deployment.order(FEW)
    eventually(lambda: len(shop.vips) == 2)
    for vip, seen in zip(shop.vips, (client.address4, client.address6), strict=True):
        eventually(lambda vip=vip: shop.site.lab.fetch(CLIENT, vip, PORT, timeout_s=5).ok)  # type: ignore[misc]  # bound now
        assert {saw for _, saw in shop.answering(vip)} == {str(seen)}
    with shop.busy():
        with shop.held():
            shop.deployment.order(MANY)
        shop.deployment.order(SOME)
        shop.deployment.order(SOME, version="2")
    for vip in shop.vips:
        assert {name for name, _ in shop.answering(vip)} <= set(shop.deployment.pods)
    shop.delete()
