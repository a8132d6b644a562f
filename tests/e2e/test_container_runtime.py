"""Pods that a real container runtime makes, and a network plugin connects: found by the runtime's socket."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e import pods
from tests.e2e.balanced import CLIENT, PORT, Balanced, eventually
from tests.e2e.containerd import MACHINE, UNPACKED, Runtime, machine_with_containerd


@pytest.fixture
def runtime(site: Site) -> Iterator[Runtime]:
    if not (UNPACKED / "usr/bin/containerd").exists():
        pytest.skip(f"no containerd in {UNPACKED}: scripts/setup unpacks it where apt-get can")
    with machine_with_containerd(site) as made:
        yield made


def claimed(site: Site) -> list[str]:
    (host,) = site.admin.get("/v1/backend-hosts", name=MACHINE)["items"]
    return list(host["addresses"])


def test_a_pod_of_containerds_answers_and_of_one_that_is_gone_nothing_is_left(
    site: Site, runtime: Runtime
) -> None:
    (client,) = site.lab.topology.of(Role.CLIENT)
    pod = runtime.run()
    with ExitStack() as undo:
        undo.callback(pods.serve(site, [pod.name]).kill)
        eventually(lambda: pod.address in claimed(site))
        vip = Balanced.order(site, 4, pool={"members": [{"address": pod.address}]})
        undo.callback(vip.delete)
        vip.wait_programmed()

        def answers() -> bool:
            fetched = site.lab.fetch(CLIENT, vip.address, PORT, timeout_s=5)
            return (fetched.backend, fetched.client) == (pod.name, str(client.address4))

        eventually(answers)
        assert "lbaas_pods" in runtime.on_machine("nft list tables")
        runtime.remove(pod)
        eventually(lambda: pod.address not in claimed(site))
        eventually(lambda: "lbaas" not in runtime.on_machine("nft list tables; ip link show"))
