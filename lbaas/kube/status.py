"""What a Service's status says of its VIPs. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from lbaas.domain.addresses import Address
from lbaas.kube.records import LOCAL, PROGRAMMED, Condition, Endpoint, Key, Pod, Service
from lbaas.wire.status import VipStatus

# kube-proxy must not take packets to the VIP itself, nor make it an address of every machine: a reply that comes out
# of a pod with a source that is local would be dropped as martian. Source: KEP-1860, net/ipv4/fib_frontend.c.
_MODE = "Proxy"

_OURS = frozenset({PROGRAMMED, LOCAL})


@dataclass(frozen=True)
class Shown:
    """What a Service's status says: addresses with their mode, and all conditions, others' too."""

    ingress: tuple[tuple[str, str], ...]
    conditions: tuple[Condition, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The status, for a merge patch."""
        ingress = [{"ip": ip, "ipMode": mode} for ip, mode in self.ingress]
        return {
            "loadBalancer": {"ingress": ingress} if ingress else None,
            "conditions": list(map(_document, self.conditions)),
        }


def present(service: Service) -> Shown:
    """What the status says now."""
    return Shown(service.ingress, service.conditions)


def served(
    service: Service,
    vips: Sequence[Address],
    *,
    programmed: bool,
    now: str,
    local: Condition | None = None,
) -> Shown:
    """The VIPs are shown as soon as they are had. That they once were programmed stays said: each rollout
    of pods passes through moments in which the newest change is not everywhere yet."""
    before = _said(service, PROGRAMMED)
    new = programmed or (before is not None and before.status == "True" and _same(service, vips))
    condition = Condition(
        PROGRAMMED,
        "True" if new else "False",
        "Programmed" if new else "Pending",
        "every node and host has applied it"
        if new
        else "not every node and host has applied it yet",
        now,
        service.generation,
    )
    return Shown(_ingress(vips), _with(service, *filter(None, (local, condition))))


def refused(service: Service, reason: str, message: str, now: str) -> Shown:
    """The addresses stay as they are; the condition says why the Service is not as its spec says."""
    condition = Condition(PROGRAMMED, "False", reason, message, now, service.generation)
    return Shown(service.ingress, _with(service, *filter(None, (_said(service, LOCAL), condition))))


def released(service: Service) -> Shown:
    """Nothing of ours is said."""
    return Shown((), _with(service))


def answering(statuses: Iterable[VipStatus]) -> frozenset[Address]:
    """The members whose host has applied the newest change of all these VIPs."""
    hosts = [host for status in statuses for host in status.hosts]
    behind = {host.host_id for host in hosts if not host.programmed}
    return frozenset(
        address for host in hosts if host.host_id not in behind for address in host.addresses
    )


def opening(
    endpoints: Iterable[Endpoint], pods: Mapping[Key, Pod], answering: AbstractSet[Address]
) -> tuple[tuple[Key, ...], bool]:
    """The pods whose readiness gate can be opened now, and whether others still wait."""
    addresses: dict[Key, set[Address]] = defaultdict(set)
    for endpoint in endpoints:
        if endpoint.pod is not None and not endpoint.terminating:
            addresses[endpoint.pod].add(endpoint.address)
    waiting = [key for key in sorted(addresses) if _waits(pods.get(key))]
    open_now = tuple(key for key in waiting if addresses[key] <= answering)
    return open_now, len(open_now) < len(waiting)


def _waits(pod: Pod | None) -> bool:
    return pod is not None and pod.gated and not pod.passed


def _ingress(vips: Sequence[Address]) -> tuple[tuple[str, str], ...]:
    return tuple((str(vip), _MODE) for vip in vips)


def _same(service: Service, vips: Sequence[Address]) -> bool:
    return service.ingress == _ingress(vips)


def _said(service: Service, kind: str) -> Condition | None:
    return next((each for each in service.conditions if each.type == kind), None)


def _with(service: Service, *ours: Condition) -> tuple[Condition, ...]:
    """All conditions, *ours* in place of those that were."""
    others = (each for each in service.conditions if each.type not in _OURS)
    return (*others, *(_lasting(_said(service, each.type), each) for each in ours))


def _lasting(before: Condition | None, condition: Condition) -> Condition:
    """It keeps its time as long as its status stays."""
    if before is None or before.status != condition.status:
        return condition
    if (before.reason, before.message) == (condition.reason, condition.message):
        return before
    return replace(condition, since=before.since)


def _document(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": condition.since,
        "observedGeneration": condition.generation,
    }
