"""What lbaas shall hold for one Service, or why it can't. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from pydantic import ValidationError

from lbaas.domain.addresses import Address, address_key
from lbaas.domain.terms import Encapsulation, Protocol
from lbaas.kube.records import Endpoint, Key, Node, Pod, Port, Service
from lbaas.wire.state import GUE_PORT
from lbaas.wire.tenants import MAX_WEIGHT, PoolSettings

# Annotations of a Service, and what each sets.
ADDRESS = "lbaas/address"
ADDRESS_POOLS = {4: "lbaas/address-pool-v4", 6: "lbaas/address-pool-v6"}
WHEN_NO_BACKEND = "lbaas/when-no-backend"
POOL_ANNOTATIONS = {
    "lbaas/scheduler": "scheduler",
    "lbaas/encapsulation": "encapsulation",
    "lbaas/drain-deadline-s": "drain_deadline_s",
    "lbaas/monitor": "monitor",
}
WEIGHT = "lbaas/weight"  # a pod's
BALANCER = (
    "lbaas/node"  # a machine's: the name of the lbaas node that it is, if that is not its own
)

# No packet has such a source, so nobody may come: RFC 6666, RFC 919.
_NOBODY = {4: "255.255.255.255/32", 6: "100::/64"}
_MOST_MEMBERS = 1000
_LONGEST_NAME = 63

_LABELS = ("kubernetes/cluster", "kubernetes/namespace", "kubernetes/service")


@dataclass(frozen=True)
class Owner:
    """Whose an object of lbaas is: the Service *key* of *cluster*. Written into its labels."""

    cluster: str
    key: Key

    @property
    def labels(self) -> dict[str, str]:
        return dict(zip(_LABELS, (self.cluster, *self.key), strict=True))

    @property
    def selector(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.labels.items())

    def name(self, *parts: str) -> str:
        """One that no other Service's objects have, of at most 63 characters, the same each time."""
        whole = "/".join((self.cluster, *self.key))
        digest = hashlib.sha256(whole.encode()).hexdigest()[:10]
        ending = "-".join((digest, *parts))
        return f"{f'{self.key.namespace}.{self.key.name}'[: 62 - len(ending)]}-{ending}"


def of_cluster(cluster: str) -> str:
    """The selector of all that is ours in lbaas."""
    return f"{_LABELS[0]}={cluster}"


def owner_of(cluster: str, labels: Mapping[str, str]) -> Owner | None:
    """Whose the object with these labels is; None if it is not ours."""
    of, namespace, name = (labels.get(label, "") for label in _LABELS)
    return Owner(cluster, Key(namespace, name)) if of == cluster and namespace and name else None


@dataclass(frozen=True)
class WantedVip:
    """One of *family*, at *address* if that is said. *settings* are fields of the API's VIP."""

    family: int
    name: str
    address: Address | None
    address_pool: str | None
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class WantedMember:
    """*node* is the lbaas node on whose machine it is, where that matters."""

    weight: int = 1
    drained: bool = False
    node: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A pool; VIPs, the first the primary one; for each protocol a listener on all of them, with all its ports."""

    owner: Owner
    vips: tuple[WantedVip, ...]
    ports: Mapping[Protocol, tuple[int, ...]]
    pool: Mapping[str, Any]
    members: Mapping[Address, WantedMember]


class Unservable(Exception):
    """The Service asks for what can't be. *reason* is an Event's, in CamelCase."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True)
class Surroundings:
    """What a Service's endpoints are, and what is known of their pods and nodes."""

    endpoints: tuple[Endpoint, ...]
    pods: Mapping[Key, Pod]
    nodes: Mapping[Key, Node]


def wanted(
    service: Service, around: Surroundings, owner: Owner, address_pools: Mapping[int, str]
) -> Wanted:
    """What lbaas shall hold for *service*. Raises Unservable.

    *address_pools* are by family where VIPs come from if the Service does not say it.
    """
    _not_translated(service.ports, around.endpoints)
    requested = _requested(service)
    return Wanted(
        owner,
        tuple(
            _vip(service, owner, family, requested.get(family), address_pools.get(family))
            for family in service.families
        ),
        {
            protocol: tuple(sorted(p.number for p in service.ports if p.protocol is protocol))
            for protocol in sorted({port.protocol for port in service.ports})
        },
        _pool(service),
        _members(around, frozenset(service.families), local=service.local),
    )


def _not_translated(ports: Iterable[Port], endpoints: Iterable[Endpoint]) -> None:
    endpoints = tuple(endpoints)
    for port in ports:
        numbers = {each.ports.get(port.name, port.number) for each in endpoints}
        if isinstance(port.target, int):
            numbers.add(port.target)
        for number in sorted(numbers - {port.number}):
            raise Unservable(
                "PortTranslation",
                f"port {port.number} has targetPort {number}: with Direct Server Return the packet reaches the pod "
                "unchanged, and the pod answers the client itself, so nobody can translate the port back. "
                f"Let the pod listen on {port.number}, and make targetPort the same",
            )


def _requested(service: Service) -> dict[int, Address]:
    texts = service.annotations.get(ADDRESS) or service.requested
    found: dict[int, Address] = {}
    for text in filter(None, (part.strip() for part in texts.split(","))):
        try:
            address = ip_address(text)
        except ValueError:
            raise Unservable("InvalidAddress", f"{text!r} is not an IP address") from None
        if address.version not in service.families:
            families = " and ".join(f"IPv{family}" for family in service.families)
            raise Unservable("InvalidAddress", f"{text} asked for, but the Service is {families}")
        found[address.version] = address
    return found


def _vip(
    service: Service, owner: Owner, family: int, address: Address | None, pool: str | None
) -> WantedVip:
    settings: dict[str, Any] = {"allowed_sources": _sources(service, family)}
    if when := service.annotations.get(WHEN_NO_BACKEND):
        settings["when_no_backend"] = when
    parts = (f"v{family}",) if address is None else (f"v{family}", address.packed.hex())
    chosen = service.annotations.get(ADDRESS_POOLS[family]) or pool
    return WantedVip(family, owner.name(*parts), address, chosen, settings)


def _sources(service: Service, family: int) -> list[str]:
    """Those of the family; where only others are named, nobody of this family may come."""
    try:
        prefixes = {ip_network(text.strip()) for text in service.source_ranges}
    except ValueError as error:
        raise Unservable("InvalidSourceRange", f"loadBalancerSourceRanges: {error}") from None
    own = sorted(str(prefix) for prefix in prefixes if prefix.version == family)
    return own or ([_NOBODY[family]] if prefixes else [])


def _pool(service: Service) -> dict[str, Any]:
    """All settings, so that what an annotation no longer says becomes the default again."""
    said: dict[str, Any] = {
        field: _value(annotation, service.annotations[annotation])
        for annotation, field in POOL_ANNOTATIONS.items()
        if service.annotations.get(annotation)
    }
    said["local"] = service.local
    said.setdefault("encapsulation", Encapsulation.IPIP)
    if said["encapsulation"] == Encapsulation.GUE:
        said["gue_port"] = GUE_PORT
    if service.affinity_s is not None:
        said |= {"persistence_s": service.affinity_s, "hash_ports": False}
    try:
        settings = PoolSettings.model_validate(said)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Unservable("InvalidAnnotation", reasons) from None
    return settings.model_dump(mode="json", exclude={"members", "labels"})


def _value(annotation: str, text: str) -> Any:
    if annotation not in ("lbaas/monitor", "lbaas/drain-deadline-s"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unservable("InvalidAnnotation", f"{annotation}: not JSON: {error}") from None


def _members(
    around: Surroundings, families: frozenset[int], *, local: bool
) -> dict[Address, WantedMember]:
    found: dict[Address, WantedMember] = {}
    for endpoint in sorted(around.endpoints, key=lambda each: address_key(each.address)):
        if endpoint.address.version in families:
            member = _member(endpoint, around, local=local)
            # An address that two slices name, as in the moment between them, serves if one says so.
            known = found.get(endpoint.address, member)
            found[endpoint.address] = max(
                known, member, key=lambda each: (not each.drained, each.weight)
            )
    if len(found) > _MOST_MEMBERS:
        raise Unservable(
            "TooManyEndpoints", f"{len(found)} endpoints: a pool has at most {_MOST_MEMBERS}"
        )
    return found


def _member(endpoint: Endpoint, around: Surroundings, *, local: bool) -> WantedMember:
    """Not ready: it gets its alias, and no flows yet. Terminating, or on an excluded node: it drains."""
    pod = around.pods.get(endpoint.pod) if endpoint.pod else None
    node = around.nodes.get(Key("", endpoint.node))
    weight = _weight(pod)
    place = _place(endpoint, node) if local else None
    if endpoint.terminating or (node is not None and node.excluded):
        return WantedMember(weight, drained=True, node=place)
    return WantedMember(weight if endpoint.ready else 0, node=place)


def _place(endpoint: Endpoint, node: Node | None) -> str | None:
    """None for a name that no lbaas node can have."""
    name = node.balancer if node else endpoint.node
    return name if 0 < len(name) <= _LONGEST_NAME else None


def _weight(pod: Pod | None) -> int:
    if pod is None or not pod.weight:
        return 1
    if not pod.weight.isascii() or not pod.weight.isdecimal() or int(pod.weight) > MAX_WEIGHT:
        raise Unservable(
            "InvalidWeight",
            f"pod {pod.key}: {WEIGHT}: {pod.weight!r} is no number from 0 to {MAX_WEIGHT}",
        )
    return int(pod.weight)
