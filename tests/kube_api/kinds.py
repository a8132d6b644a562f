"""The kinds that the API server of the tests knows, and what it makes of an object before it keeps it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer that is a Status. *reason* and *code* as the real server's."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


def invalid(kind: str, name: str, message: str) -> Refusal:
    return Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {message}')


@dataclass(frozen=True)
class Kind:
    """One resource. *complete* fills in defaults and refuses what is wrong; *fields* are those of a spec."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    fields: frozenset[str] = frozenset()
    complete: Callable[[Json, Json | None], None] = field(default=lambda *_: None)
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


_SERVICE_FIELDS = frozenset(
    (
        *("ports", "selector", "clusterIP", "clusterIPs", "type", "externalIPs", "sessionAffinity"),
        *("loadBalancerIP", "loadBalancerSourceRanges", "loadBalancerClass", "externalName"),
        *("externalTrafficPolicy", "internalTrafficPolicy", "trafficDistribution"),
        *("healthCheckNodePort", "publishNotReadyAddresses", "sessionAffinityConfig"),
        *("ipFamilies", "ipFamilyPolicy", "allocateLoadBalancerNodePorts"),
    )
)


def _service(new: Json, old: Json | None) -> None:
    """As the real one: defaults, unique names of ports, a class that stays what it is."""
    name, spec = new["metadata"]["name"], new.setdefault("spec", {})
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None":
        raise invalid("Service", name, "spec.ports: Required value")
    for index, port in enumerate(ports):
        if not isinstance(port.get("port"), int) or not 1 <= port["port"] <= 65535:
            raise invalid("Service", name, f"spec.ports[{index}].port: Invalid value")
        if len(ports) > 1 and not port.get("name"):
            raise invalid("Service", name, f"spec.ports[{index}].name: Required value")
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    if len({(port["protocol"], port["port"]) for port in ports}) < len(ports):
        raise invalid("Service", name, "spec.ports: Duplicate value")
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("ipFamilies", ["IPv4"])
    if old is not None and old["spec"]["type"] == spec["type"] == "LoadBalancer":
        if old["spec"].get("loadBalancerClass") != spec.get("loadBalancerClass"):
            raise invalid("Service", name, "spec.loadBalancerClass: may not change once set")
        if old["spec"]["ipFamilies"][0] != spec["ipFamilies"][0]:
            raise invalid(
                "Service", name, "spec.ipFamilies[0]: primary ipFamily can not be changed"
            )


def _slice(new: Json, old: Json | None) -> None:
    name = new["metadata"]["name"]
    if new.get("addressType") not in ("IPv4", "IPv6", "FQDN"):
        raise invalid("EndpointSlice", name, "addressType: Unsupported value")
    if old is not None and old["addressType"] != new["addressType"]:
        raise invalid("EndpointSlice", name, "addressType: field is immutable")
    if not all(endpoint.get("addresses") for endpoint in new.get("endpoints") or ()):
        raise invalid("EndpointSlice", name, "endpoints.addresses: Required value")


def _event(new: Json, old: Json | None) -> None:
    """The involved object must be of the event's namespace. Source: ValidateEventCreate."""
    involved, metadata = new.get("involvedObject") or {}, new["metadata"]
    if involved.get("namespace", "") != metadata["namespace"] and involved.get("namespace"):
        raise invalid("Event", metadata["name"], "involvedObject.namespace: does not match")
    if len(new.get("message", "")) > 1024:
        raise invalid("Event", metadata["name"], "message: can have at most 1024 characters")


def _lease(new: Json, old: Json | None) -> None:
    spec, name = new.setdefault("spec", {}), new["metadata"]["name"]
    if spec.get("leaseDurationSeconds", 1) <= 0:
        raise invalid("Lease", name, "spec.leaseDurationSeconds: must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        raise invalid("Lease", name, "spec.leaseTransitions: must be greater than or equal to 0")


NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",))

KINDS: tuple[Kind, ...] = (
    NAMESPACE,
    Kind("", "v1", "nodes", "Node", namespaced=False, status=True, short=("no",)),
    Kind("", "v1", "pods", "Pod", status=True, short=("po",)),
    Kind(
        "",
        "v1",
        "services",
        "Service",
        status=True,
        fields=_SERVICE_FIELDS,
        complete=_service,
        short=("svc",),
    ),
    Kind("", "v1", "events", "Event", complete=_event, short=("ev",)),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", complete=_slice),
    Kind("coordination.k8s.io", "v1", "leases", "Lease", complete=_lease),
    # Kept and shown, and nothing comes of them: what our manifests are made of.
    Kind("", "v1", "configmaps", "ConfigMap"),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind("apps", "v1", "deployments", "Deployment", status=True),
    Kind("apps", "v1", "daemonsets", "DaemonSet", status=True),
    Kind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Kind(
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        namespaced=False,
    ),
)

BY_PATH: Mapping[tuple[str, str, str], Kind] = {
    (kind.group, kind.version, kind.plural): kind for kind in KINDS
}
