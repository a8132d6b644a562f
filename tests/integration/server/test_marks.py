"""No mark gets a new meaning while a node may hold the old one."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from lbaas.client.api import ApiClient, ApiProblem

from .conftest import LiveServer, Site, cluster_state, fetch, listener, make_site, unique


@pytest.fixture
def narrow(server: LiveServer, admin: ApiClient) -> Iterator[Site]:
    """A cluster with three marks."""
    with make_site(server, admin, marks={"first": 100, "last": 102}) as site:
        yield site


def make_vip(site: Site, ports: int) -> str:
    body = {
        "name": unique("vip"),
        "tenant_id": site.tenant["id"],
        "address_pool_id": site.v4["id"],
        "listeners": [listener(f"l{port}", port) for port in range(1, ports + 1)],
    }
    return str(site.admin.post("/v1/vips", body)["id"])


def confirm(node: ApiClient, revision: int, *, failed: bool = False) -> None:
    failure = {"subsystem": "marks", "operation": "replace", "key": "table", "cause": "EBUSY"}
    body = {
        "boot": str(uuid4()),
        "sequence": 1,
        "revision": revision,
        "digest": "",
        "changes": 0,
        "repaired": 0,
        "failures": [failure] if failed else [],
    }
    node.post("/v1/agent/report", body)


def test_every_listener_has_a_mark_of_its_own_in_the_clusters_range(narrow: Site) -> None:
    make_vip(narrow, 2)
    make_vip(narrow, 1)

    assert sorted(service.mark for service in cluster_state(fetch(narrow.node())).services) == [
        100,
        101,
        102,
    ]


def test_a_freed_mark_waits_for_every_forwarding_node(narrow: Site) -> None:
    nodes = [narrow.node(0), narrow.node(1)]
    vip = make_vip(narrow, 3)
    held = fetch(nodes[0])
    narrow.admin.delete(f"/v1/vips/{vip}", cascade="true")
    # A replica hears of a write a moment after its answer.
    freed = fetch(nodes[0], held).revision

    def refused() -> bool:
        with pytest.raises(ApiProblem) as caught:
            make_vip(narrow, 1)
        return bool(caught.value.problem["type"] == "/errors/marks-exhausted")

    assert refused()
    confirm(nodes[0], freed)
    confirm(nodes[1], held.revision)
    assert refused()
    confirm(nodes[1], freed, failed=True)
    assert refused()
    confirm(nodes[1], freed)
    make_vip(narrow, 3)


def test_nobody_waits_for_a_node_in_maintenance(narrow: Site) -> None:
    node = narrow.node(0)
    vip = make_vip(narrow, 3)
    held = fetch(node)
    narrow.admin.delete(f"/v1/vips/{vip}", cascade="true")
    confirm(node, fetch(node, held).revision)

    narrow.admin.patch(f"/v1/nodes/{narrow.nodes[1]['id']}", {"admin_state": "maintenance"})

    make_vip(narrow, 3)
