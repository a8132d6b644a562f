"""The controller when something is down, killed, doubled, or was gone for a while.

LBAAS_KUBE_KILLS says how often it is killed (3), LBAAS_KUBE_SERVICES how many Services there are at its restart (20).
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbaas.client.api import ApiClient
from tests.kube_api.world import LEASE, SERVICE, World, addresses_of, eventually, pods, world

from .conftest import LiveServer, Site, make_site, unique

KILLS = int(os.environ.get("LBAAS_KUBE_KILLS", "3"))
SERVICES = int(os.environ.get("LBAAS_KUBE_SERVICES", "20"))
PODS = 10
# A machine that does all this at once, and others' tests beside it, takes its time for each.
PATIENCE_S = 120 + 2 * SERVICES
NO_FINALIZERS = '{"metadata": {"finalizers": null}}'


@pytest.fixture
def tenant(server: LiveServer, admin: ApiClient) -> Iterator[tuple[Site, ApiClient]]:
    with make_site(server, admin) as made:
        wide = {"name": unique("wide"), "prefix": "198.18.0.0/16"}
        made.v4 = admin.post("/v1/address-pools", {"cluster_id": made.cluster["id"], **wide})
        yield made, made.member()


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, unique("ns")) as made:
        yield made


def start(kube: World, tenant: tuple[Site, ApiClient], url: str | None = None) -> None:
    site, api = tenant
    pools = {"LBAAS_ADDRESS_POOL_V4": site.v4["id"], "LBAAS_ADDRESS_POOL_V6": site.v6["id"]}
    kube.start_controller(api, url or site.server.url, **pools)


def kill(kube: World, number: signal.Signals = signal.SIGKILL) -> None:
    """The youngest controller ends."""
    kube.controllers[-1].send_signal(number)
    kube.controllers[-1].wait(60)


def free_the_lease(kube: World) -> None:
    """As if the time of one who was killed had passed."""
    store = kube.api.store
    with store.changed:
        for lease in store.list(LEASE, kube.namespace):
            lease["spec"]["holderIdentity"] = ""
            store.update(LEASE, (kube.namespace, lease["metadata"]["name"]), lease)


def served(kube: World, api: ApiClient) -> bool:
    """Every Service has one VIP and one pool, and there are no others."""
    services = kube.api.store.list(SERVICE, kube.namespace)
    vips = list(api.vips.list(limit=1000))
    pools = list(api.pools.list(limit=1000))
    shown = {each["metadata"]["name"]: addresses_of(each) for each in services}
    have = {vip.labels["kubernetes/service"]: [str(vip.address)] for vip in vips}
    whole = all(len(vip.listeners) == 1 for vip in vips)
    return have == shown and whole and len(vips) == len(pools) == len(services)


def test_a_controller_that_is_killed_at_random_leaks_nothing_and_loses_nothing(
    kube: World, tenant: tuple[Site, ApiClient]
) -> None:
    chance = random.Random(9)
    _, api = tenant
    for number in range(KILLS):
        name = f"web-{number}"
        kube.put_behind(name, *pods(2))
        kube.apply(name)
        start(kube, tenant)
        if number:
            kube.kubectl("delete", "service", f"web-{number - 1}", "--wait=false")
        # From the start of its imports to long after all is done.
        time.sleep(chance.uniform(0.5, 4))
        kill(kube)
        free_the_lease(kube)
    start(kube, tenant)
    eventually(lambda: served(kube, api), timeout_s=120 + 2 * KILLS)


def test_of_two_controllers_one_works_and_the_other_takes_over_when_it_ends(
    kube: World, tenant: tuple[Site, ApiClient]
) -> None:
    _, api = tenant
    start(kube, tenant)
    eventually(lambda: kube.api.store.list(LEASE, kube.namespace))
    (before,) = kube.api.store.list(LEASE, kube.namespace)
    start(kube, tenant)
    kube.apply("one")
    eventually(lambda: served(kube, api))
    kube.controllers[0].send_signal(signal.SIGTERM)
    assert kube.controllers[0].wait(60) == 0
    kube.apply("two")
    eventually(lambda: served(kube, api))
    (after,) = kube.api.store.list(LEASE, kube.namespace)
    assert after["spec"]["holderIdentity"] != before["spec"]["holderIdentity"]


def test_a_service_deleted_while_lbaas_is_down_waits_for_it_and_leaves_nothing(
    kube: World, tenant: tuple[Site, ApiClient]
) -> None:
    _, api = tenant
    start(kube, tenant)
    kube.apply("web")
    eventually(lambda: served(kube, api))
    kill(kube, signal.SIGTERM)
    start(kube, tenant, url="http://127.0.0.1:9")  # nobody listens there
    kube.kubectl("delete", "service", "web", "--wait=false")
    eventually(lambda: "again later" in (kube.directory / "controller-1.log").read_text())
    assert not kube.is_gone("web")
    kill(kube, signal.SIGTERM)
    start(kube, tenant)
    eventually(lambda: kube.is_gone("web"))
    assert served(kube, api)


def test_what_a_service_left_whose_finalizer_was_removed_by_hand_is_found(
    kube: World, tenant: tuple[Site, ApiClient]
) -> None:
    _, api = tenant
    start(kube, tenant)
    kube.apply("web")
    eventually(lambda: served(kube, api))
    kill(kube, signal.SIGTERM)
    kube.kubectl("patch", "service", "web", "--type=merge", "-p", NO_FINALIZERS)
    kube.kubectl("delete", "service", "web")
    start(kube, tenant)
    eventually(lambda: served(kube, api))


def test_after_a_restart_nothing_is_written_where_nothing_differs(
    kube: World, tenant: tuple[Site, ApiClient]
) -> None:
    _, api = tenant
    for number in range(SERVICES):
        kube.put_behind(f"web-{number}", *pods(PODS))
        kube.api.store.create(SERVICE, kube.namespace, kube.service(f"web-{number}"))
    start(kube, tenant)
    eventually(lambda: served(kube, api), PATIENCE_S, every_s=1)
    kill(kube, signal.SIGTERM)
    deeds = sum(1 for _ in api.events(limit=1000))
    kube.api.store.writes.clear()
    reads = len(kube.api.asked)
    start(kube, tenant)
    # The queue is in order: when this one is served, all the others were looked at.
    eventually(lambda: (LEASE.plural, "update") in asked(kube, reads))
    kube.apply("zz-last")
    eventually(lambda: served(kube, api), PATIENCE_S, every_s=1)
    written = [each for each in kube.api.store.writes if each.kind == SERVICE.plural]
    assert {each.name for each in written} == {"zz-last"}
    assert not any(each.needless for each in kube.api.store.writes)
    new = list(api.events(limit=1000))[deeds:]
    assert sorted(each.kind for each in new) == ["listener", "pool", "vip"]


def asked(kube: World, since: int) -> set[tuple[str, str]]:
    """Resource and verb of what was asked of the API server."""
    return {(resource, verb) for _, verb, resource in kube.api.asked[since:]}
