"""What a Service is told that nodes shall serve from their own machines only."""

from uuid import UUID

from lbaas.domain.terms import NodeAdminState
from lbaas.kube.desired import WantedMember
from lbaas.kube.placement import placement
from lbaas.wire.status import NodeStatus, VipStatus
from tests.unit.kube.samples import service

LOCAL = service(local=True)


def on(*names: str | None) -> list[WantedMember]:
    return [WantedMember(node=name) for name in names]


def served_by(*names: str) -> list[VipStatus]:
    nodes = [
        NodeStatus(
            node_id=UUID(int=number),
            name=name,
            admin_state=NodeAdminState.ACTIVE,
            applied_revision=1,
            programmed=True,
            certificate_expires_at=None,
            stale=False,
            reported_at=None,
            failures=[],
            unhealthy=[],
            order_differs=False,
        )
        for number, name in enumerate(names, 1)
    ]
    vip = UUID(int=9)
    return [
        VipStatus(vip_id=vip, revision=1, programmed=True, nodes=nodes, hosts=[], dropped=[]),
    ]


def test_a_service_that_is_not_local_is_told_nothing() -> None:
    assert placement(service(), on("worker1"), served_by("worker1"), "now") is None


def test_pods_on_the_machines_of_nodes_are_served_by_these() -> None:
    for members in (on("worker1", "worker1"), on()):
        said = placement(LOCAL, members, served_by("worker1", "worker2"), "now")
        assert said is not None
        assert (said.type, said.status, said.reason) == ("lbaas/local", "True", "OnNodes")


def test_pods_elsewhere_get_no_traffic_as_long_as_others_do() -> None:
    said = placement(LOCAL, on("worker1", "worker3"), served_by("worker1"), "now")
    assert said is not None
    assert (said.status, said.reason) == ("False", "PodsWithoutNode")
    assert "worker3" in said.message
    assert "worker1" not in said.message


def test_where_no_node_is_a_machine_of_the_cluster_all_nodes_serve_all_pods() -> None:
    said = placement(LOCAL, on("worker1"), served_by("lb1"), "now")
    assert said is not None
    assert (said.status, said.reason) == ("False", "NotOnNodes")
    assert "as with Cluster" in said.message
