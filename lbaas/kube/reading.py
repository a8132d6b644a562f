"""Kubernetes' objects, as its client gives them, as our records."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from lightkube.models import core_v1 as core
from lightkube.models import discovery_v1 as discovery
from lightkube.models import meta_v1 as meta

from lbaas.domain.terms import Protocol
from lbaas.errors import ClusterUnavailable
from lbaas.kube.desired import BALANCER, WEIGHT
from lbaas.kube.records import (
    FINALIZER,
    READINESS_GATE,
    Condition,
    Endpoint,
    Key,
    Node,
    Pod,
    Port,
    Service,
    Slice,
)

_OF_SERVICE = "kubernetes.io/service-name"
_EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
_FAMILIES = {"IPv4": 4, "IPv6": 6}


def metadata_of(found: Any) -> meta.ObjectMeta:
    """What every object has. Raises ClusterUnavailable for one without: it was no Kubernetes that answered."""
    if found.metadata is None:
        raise ClusterUnavailable(f"a {type(found).__name__} without metadata")
    metadata: meta.ObjectMeta = found.metadata
    return metadata


def key_of(found: Any) -> Key:
    """What names the object."""
    metadata = metadata_of(found)
    return Key(metadata.namespace or "", metadata.name or "")


def service(found: core.Service, ours: str) -> Service:
    """*ours* is the load balancer class that we serve."""
    metadata, spec, status = metadata_of(found), found.spec or core.ServiceSpec(), found.status
    finalizers = tuple(metadata.finalizers or ())
    balancer = status.loadBalancer if status else None
    return Service(
        key=key_of(found),
        uid=metadata.uid or "",
        version=metadata.resourceVersion or "",
        ours=spec.type == "LoadBalancer" and spec.loadBalancerClass == ours,
        held=FINALIZER in finalizers,
        deleting=metadata.deletionTimestamp is not None,
        finalizers=finalizers,
        ports=tuple(map(_port, spec.ports or ())),
        families=tuple(_FAMILIES[family] for family in spec.ipFamilies or ("IPv4",)),
        requested=spec.loadBalancerIP or "",
        affinity_s=_affinity(spec),
        source_ranges=tuple(spec.loadBalancerSourceRanges or ()),
        local=spec.externalTrafficPolicy == "Local",
        annotations=dict(metadata.annotations or {}),
        ingress=tuple(
            (each.ip or "", each.ipMode or "")
            for each in (balancer.ingress if balancer else None) or ()
        ),
        conditions=tuple(map(_condition, (status.conditions if status else None) or ())),
        generation=metadata.generation or 0,
    )


def endpoint_slice(found: discovery.EndpointSlice) -> Slice | None:
    """None if it is no Service's, or has no addresses."""
    of = (metadata_of(found).labels or {}).get(_OF_SERVICE)
    if not of or found.addressType not in _FAMILIES:
        return None
    key = key_of(found)
    ports = {port.name or "": port.port for port in found.ports or () if port.port is not None}
    return Slice(key, Key(key.namespace, of), tuple(_endpoints(found, key.namespace, ports)))


def pod(found: core.Pod) -> Pod:
    """What concerns us of it."""
    gates = (found.spec.readinessGates if found.spec else None) or ()
    conditions = (found.status.conditions if found.status else None) or ()
    return Pod(
        key_of(found),
        weight=(metadata_of(found).annotations or {}).get(WEIGHT, ""),
        gated=any(gate.conditionType == READINESS_GATE for gate in gates),
        passed=any(each.type == READINESS_GATE and each.status == "True" for each in conditions),
    )


def node(found: core.Node) -> Node:
    """What concerns us of it."""
    metadata = metadata_of(found)
    balancer = (metadata.annotations or {}).get(BALANCER) or metadata.name or ""
    return Node(key_of(found), _EXCLUDED in (metadata.labels or {}), balancer)


def _port(port: core.ServicePort) -> Port:
    target = port.port if port.targetPort is None else port.targetPort
    return Port(port.name or "", Protocol((port.protocol or "TCP").lower()), port.port, target)


def _affinity(spec: core.ServiceSpec) -> int | None:
    if spec.sessionAffinity != "ClientIP":
        return None
    config = spec.sessionAffinityConfig
    client = config.clientIP if config else None
    return (client.timeoutSeconds if client else None) or 10_800


def _endpoints(
    found: discovery.EndpointSlice, namespace: str, ports: Mapping[str, int]
) -> Iterable[Endpoint]:
    for each in found.endpoints or ():
        said = each.conditions
        target = each.targetRef
        for address in each.addresses:
            yield Endpoint(
                address=ip_address(address),
                # Unknown is to be taken for true: discovery/v1, EndpointConditions.
                ready=said is None or said.ready is not False,
                serving=said is None or said.serving is not False,
                terminating=said is not None and said.terminating is True,
                pod=Key(namespace, target.name)
                if target is not None and target.kind == "Pod" and target.name
                else None,
                node=each.nodeName or "",
                ports=ports,
            )


def _condition(found: Any) -> Condition:
    since = found.lastTransitionTime
    return Condition(
        type=found.type,
        status=found.status,
        reason=found.reason or "",
        message=found.message or "",
        since=since.isoformat().replace("+00:00", "Z") if since else "",
        generation=found.observedGeneration or 0,
    )
