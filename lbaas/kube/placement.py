"""Whether ``externalTrafficPolicy: Local`` can be had: whether lbaas nodes run where the pods do. Pure."""

from collections.abc import Iterable

from lbaas.kube.desired import WantedMember
from lbaas.kube.records import LOCAL, Condition, Service
from lbaas.wire.status import VipStatus

_ADVICE = "name lbaas nodes like their machines, or say their names in the machines' annotation lbaas/node"


def placement(
    service: Service,
    members: Iterable[WantedMember],
    statuses: Iterable[VipStatus],
    now: str,
) -> Condition | None:
    """What to say of a Service that is local, None of another. What is wrong is said in words for an Event."""
    if not service.local:
        return None
    nodes = {node.name for status in statuses for node in status.nodes}
    places = {member.node for member in members}
    status, reason, message = _judged(places & nodes, sorted(filter(None, places - nodes)))
    return Condition(LOCAL, status, reason, message, now, service.generation)


def _judged(own: set[str | None], others: list[str]) -> tuple[str, str, str]:
    machines = ", ".join(others)
    if own and others:
        lost = f"no lbaas node runs on {machines}: pods there get no traffic; {_ADVICE}"
        return "False", "PodsWithoutNode", lost
    if others:
        shared = f"no lbaas node runs on {machines}: every node sends to every pod, as with Cluster; {_ADVICE}"
        return "False", "NotOnNodes", shared
    return "True", "OnNodes", "nodes send to pods on their own machine only"
