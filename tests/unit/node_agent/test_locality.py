"""What one node makes of services that are served where their backends are."""

from ipaddress import ip_address
from typing import Any
from uuid import UUID

from lbaas.domain.addresses import host_prefix
from lbaas.domain.terms import Forwarding, NodeAdminState, Scheduler, WhenNoBackend
from lbaas.node_agent.locality import localized
from lbaas.wire.state import Backend, ClusterState, MarkRange, NodeSettings, VirtualService

VIP = ip_address("198.51.100.7")
NODES = ("lb1", "lb2")


def backend(number: int, node: str | None, weight: int = 1) -> Backend:
    return Backend(address=ip_address(f"10.0.20.{number}"), weight=weight, node=node)


def service(*backends: Backend, mark: int = 0x100, **other: Any) -> VirtualService:
    said = {"local": True, **other}
    return VirtualService(
        mark=mark,
        family=4,
        scheduler=Scheduler.MH,
        forwarding=Forwarding.TUNNEL,
        backends=backends,
        vip=VIP,
        **said,
    )


def state(*services: VirtualService) -> ClusterState:
    return ClusterState(
        cluster=UUID(int=1),
        revision=1,
        as_number=65001,
        marks=MarkRange(first=0x100, last=0x1FF),
        nodes={
            UUID(int=number): NodeSettings(name=name, admin_state=NodeAdminState.ACTIVE)
            for number, name in enumerate(NODES, 2)
        },
        peers=(),
        vips=(VIP,),
        announced=(host_prefix(VIP),),
        services=services,
        flows=(),
    )


def test_a_node_sends_to_backends_on_its_own_machine_and_to_no_others() -> None:
    one, two = backend(1, "lb1"), backend(2, "lb2")
    for name, own in (("lb1", one), ("lb2", two)):
        here = localized(state(service(one, two)), name)
        assert here.services[0].backends == (own,)
        assert here.announced == (host_prefix(VIP),)


def test_a_node_without_a_backend_that_takes_flows_does_not_announce() -> None:
    for backends in ([backend(1, "lb1")], [backend(1, "lb1"), backend(2, "lb2", weight=0)]):
        found = state(service(*backends))
        assert localized(found, "lb2").announced == ()
        assert localized(found, "lb1").announced == (host_prefix(VIP),)


def test_a_backend_that_drains_here_keeps_its_flows() -> None:
    draining = backend(2, "lb2", weight=0)
    here = localized(state(service(backend(1, "lb1"), draining)), "lb2")
    assert here.services[0].backends == (draining,)


def test_a_node_whose_own_backends_fail_their_checks_withdraws() -> None:
    asked = service(backend(1, "lb1"), when_no_backend=WhenNoBackend.SEND_TO_ALL)
    assert localized(state(asked), "lb1").services[0].when_no_backend is WhenNoBackend.WITHDRAW


def test_backends_on_no_node_of_the_cluster_are_everybodys() -> None:
    found = state(service(backend(1, "elsewhere"), backend(2, None)))
    assert localized(found, "lb1") == found


def test_a_vip_with_another_service_that_is_not_local_stays_announced() -> None:
    everybodys = service(backend(1, None), mark=0x101, local=False)
    here = localized(state(service(backend(1, "lb1")), everybodys), "lb2")
    assert here.announced == (host_prefix(VIP),)
    assert here.services[1] == everybodys


def test_a_state_without_local_services_is_left_alone() -> None:
    found = state(service(backend(1, "lb1"), local=False))
    assert localized(found, "lb2") is found
