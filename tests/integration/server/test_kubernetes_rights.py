"""The controller is granted what it asks for, and nothing that it does not."""

import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from lbaas.client.api import ApiClient
from tests.kube_api.rbac import CONTROLLER, granted
from tests.kube_api.world import POD, Behind, World, eventually, world

from .conftest import Site, fetch, unique

POD_ADDRESS = "10.0.20.229"


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, unique("ns")) as made:
        yield made


class Host:
    """A machine with one pod, whose agent says that it has applied all that it was told."""

    def __init__(self, site: Site) -> None:
        body = {"name": unique("rack"), "addresses": ["192.0.2.231"], "prefixes": ["10.0.20.0/24"]}
        host = site.admin.post("/v1/backend-hosts", body)
        self._api: ApiClient = site.client("host", host_id=host["id"])
        self._api.request("PUT", "/v1/agent/addresses", {"addresses": [POD_ADDRESS]})
        self._boot, self._numbers = str(uuid4()), count(1)

    def report(self) -> None:
        revision = fetch(self._api).revision
        said = {"boot": self._boot, "sequence": next(self._numbers), "revision": revision}
        self._api.post("/v1/agent/report", {**said, "digest": "d", "changes": 0, "repaired": 0})


def asked(kube: World) -> set[tuple[str, str]]:
    """Verb and resource of all that the controllers asked for."""
    return {(verb, resource) for bearer, verb, resource in kube.api.asked if bearer == CONTROLLER}


def test_every_verb_that_is_granted_is_used(site: Site, kube: World) -> None:
    """By a Service with a pod that waits at its gate, and by a refusal that is told again after a restart."""
    host = Host(site)

    def opened() -> bool:
        host.report()
        found = kube.api.store.get(POD, (kube.namespace, "web")).get("status", {})
        return bool(found.get("conditions"))

    kube.add_pod("web", gated=True)
    kube.put_behind("web", Behind(POD_ADDRESS, ready=False, pod="web"))
    kube.apply("refused", ports=[{"port": 80, "targetPort": 8080}])
    kube.apply("web")
    for verb in ("create", "patch"):
        kube.start_controller(site.member(), site.server.url, LBAAS_ADDRESS_POOL_V4=site.v4["id"])
        eventually(opened, every_s=0.5)
        eventually(lambda verb=verb: (verb, "events") in asked(kube))  # type: ignore[misc]  # bound now
        kube.controllers[-1].send_signal(signal.SIGTERM)
        assert kube.controllers[-1].wait(60) == 0
    assert asked(kube) == {(grant.verb, grant.resource) for grant in granted()}
