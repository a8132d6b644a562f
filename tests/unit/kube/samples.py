"""Records for the controller's tests."""

from ipaddress import ip_address
from typing import Any

from lbaas.domain.terms import Protocol
from lbaas.kube.desired import Owner, Surroundings
from lbaas.kube.records import Endpoint, Key, Node, Pod, Port, Service

KEY = Key("shop", "web")
OWNER = Owner("cluster-1", KEY)


def service(*ports: Port, **other: Any) -> Service:
    said: dict[str, Any] = {
        "uid": "uid-1",
        "version": "1",
        "ours": True,
        "held": True,
        "deleting": False,
        "finalizers": ("lbaas/dsr",),
        "families": (4,),
        **other,
    }
    return Service(key=KEY, ports=ports or (port(80),), **said)


def port(number: int, target: int | str = 0, protocol: Protocol = Protocol.TCP) -> Port:
    return Port(f"p{number}", protocol, number, target or number)


def endpoint(address: str, *, ready: bool = True, **other: Any) -> Endpoint:
    said: dict[str, Any] = {
        "serving": ready,
        "terminating": False,
        "pod": None,
        "node": "",
        "ports": {},
        **other,
    }
    return Endpoint(address=ip_address(address), ready=ready, **said)


def around(
    *endpoints: Endpoint, pods: tuple[Pod, ...] = (), nodes: tuple[Node, ...] = ()
) -> Surroundings:
    return Surroundings(
        endpoints, {pod.key: pod for pod in pods}, {node.key: node for node in nodes}
    )
