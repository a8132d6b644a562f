"""What the controller knows of a Kubernetes cluster, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol

# Also the finalizer: who deletes such a Service waits until its VIPs are gone.
DEFAULT_CLASS = "lbaas/dsr"
FINALIZER = "lbaas/dsr"
READINESS_GATE = "lbaas/dsr-ready"
PROGRAMMED = "lbaas/programmed"
LOCAL = "lbaas/local"


class Key(NamedTuple):
    """What names an object of a namespace; cluster-wide ones have none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Port:
    """A Service's port. *target* is a number, or the name of a pod's port."""

    name: str
    protocol: Protocol
    number: int
    target: int | str


@dataclass(frozen=True)
class Condition:
    """Of a Service's or pod's status. *status* is True, False or Unknown, as text."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: str = ""
    generation: int = 0


@dataclass(frozen=True)
class Service:
    """*ours*: it is of type LoadBalancer and of our class. *held*: it has our finalizer."""

    key: Key
    uid: str
    version: str
    ours: bool
    held: bool
    deleting: bool
    finalizers: tuple[str, ...]
    ports: tuple[Port, ...]
    families: tuple[int, ...]
    requested: str = ""
    affinity_s: int | None = None
    source_ranges: tuple[str, ...] = ()
    local: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    ingress: tuple[tuple[str, str], ...] = ()  # address and mode
    conditions: tuple[Condition, ...] = ()
    generation: int = 0


@dataclass(frozen=True)
class Endpoint:
    """An address behind a Service. *ports* are numbers by the name of the Service's port."""

    address: Address
    ready: bool
    serving: bool
    terminating: bool
    pod: Key | None
    node: str
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Slice:
    """Some of the endpoints of the Service *of*."""

    key: Key
    of: Key
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True)
class Pod:
    """What concerns us of a pod. *gated*: it waits for our readiness gate; *passed*: the gate is open."""

    key: Key
    weight: str = ""
    gated: bool = False
    passed: bool = False


@dataclass(frozen=True)
class Node:
    """A machine of the cluster. *excluded*: external load balancers shall leave it alone.

    *balancer* is the name of the lbaas node that runs on it, if any does.
    """

    key: Key
    excluded: bool = False
    balancer: str = ""
