"""Pods are namespaces on a machine of the lab: ``kubectl apply``, and packets arrive with the client's address."""

from pathlib import Path
from uuid import uuid4

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import CLIENT, PORT, eventually
from tests.e2e.pods import PodAddress, machine_with_pods
from tests.kube_api.world import POD, Behind, World, world

SERVICE = "shop"


def put_behind(kube: World, pods: list[PodAddress], *, ready: bool) -> None:
    """As the endpoint slice controller says it."""
    for family in (4, 6):
        endpoints = [
            Behind(pod.v4 if family == 4 else pod.v6, ready=ready, pod=pod.name, port=PORT)
            for pod in pods
        ]
        kube.put_behind(SERVICE, *endpoints, family=family)


def gate_is_open(kube: World, pod: PodAddress) -> bool:
    found = kube.api.store.get(POD, (kube.namespace, pod.name)).get("status", {})
    return any(
        (each["type"], each["status"]) == ("lbaas/dsr-ready", "True")
        for each in found.get("conditions", ())
    )


def answering(site: Site, vip: str, count: int = 12) -> set[tuple[str, str]]:
    """Who answered new connections, and whom it saw."""
    found = [site.lab.fetch(CLIENT, vip, PORT, timeout_s=5) for _ in range(count)]
    assert all(each.ok for each in found), [each.error for each in found if not each.ok]
    return {(each.backend, each.client) for each in found}


def test_an_applied_service_is_answered_by_its_pods_themselves(site: Site, tmp_path: Path) -> None:
    pools = {
        f"LBAAS_ADDRESS_POOL_V{family}": str(pool) for family, pool in site.inventory.pools.items()
    }
    (client,) = site.lab.topology.of(Role.CLIENT)
    with machine_with_pods(site, 2) as pods, world(tmp_path, f"ns-{uuid4().hex[:8]}") as kube:
        kube.start_controller(site.tenant, site.server.url, **pools)
        for pod in pods:
            kube.add_pod(pod.name, gated=True)
        put_behind(kube, pods, ready=False)
        kube.apply(SERVICE, PORT, ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv4", "IPv6"])
        eventually(lambda: all(gate_is_open(kube, pod) for pod in pods))
        put_behind(kube, pods, ready=True)
        vips = dict(zip((4, 6), kube.ingress(SERVICE), strict=True))
        seen = {4: str(client.address4), 6: str(client.address6)}
        for family, vip in vips.items():
            eventually(lambda vip=vip: site.lab.fetch(CLIENT, vip, PORT, timeout_s=5).ok)  # type: ignore[misc]  # bound now
            assert {saw for _, saw in answering(site, vip)} == {seen[family]}
        kube.kubectl("delete", "service", SERVICE, "--wait=false")
        eventually(lambda: kube.is_gone(SERVICE))
