"""The desired state: what the server compiles and the agents apply.

One :class:`ClusterState` serves all nodes of a cluster, so its body is built once; a node finds what
is its own under ``nodes``. One :class:`HostState` serves one backend host.

Sequences are in canonical order: by address, then mark; the backends of a service by age. The kernel's
``mh`` table depends on the order in which backends were added, and two nodes that differ would send one
flow to two backends.
"""

from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import Forwarding, NodeAdminState, Protocol, Scheduler
from lbaas.errors import BadState

WIRE_VERSION = 1

S = TypeVar("S", "ClusterState", "HostState")

Port = Annotated[int, Field(ge=1, le=65535)]
Mark = Annotated[int, Field(ge=1, le=0xFFFFFFFF)]


class Document(BaseModel):
    """Frozen. An unknown field is a newer server's and is ignored: agents may be older than servers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PortRange(Document):
    """Ports *first* to *last*, both included."""

    first: Port
    last: Port

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"port range {self.first}-{self.last} ends before it begins")
        return self


class Backend(Document):
    """Where packets of a service go. Weight 0: keeps its flows, gets no new ones."""

    address: Address
    weight: Annotated[int, Field(ge=0, le=65535)]


class VirtualService(Document):
    """One IPVS service keyed by (address family, fwmark)."""

    mark: Mark
    family: Literal[4, 6]
    scheduler: Scheduler
    forwarding: Forwarding
    backends: tuple[Backend, ...]


class Flow(Document):
    """Packets to *vip*, *protocol* and *ports* carry *mark*; so do ICMP errors about them."""

    vip: Address
    protocol: Protocol
    ports: PortRange
    mark: Mark


class MarkRange(Document):
    """The fwmarks a cluster owns, both ends included. An agent touches no other."""

    first: Mark
    last: Mark

    def __contains__(self, mark: object) -> bool:
        return isinstance(mark, int) and self.first <= mark <= self.last


class Peer(Document):
    """A router that every node of the cluster announces to."""

    name: str
    address: Address
    as_number: int
    password: str | None
    bfd: bool
    multihop: bool


class NodeSettings(Document):
    """What concerns one node only."""

    name: str
    admin_state: NodeAdminState


class ClusterState(Document):
    """All that the nodes of one cluster must hold."""

    kind: Literal["cluster"] = "cluster"
    version: int = WIRE_VERSION
    cluster: UUID
    revision: int
    as_number: int
    marks: MarkRange
    nodes: dict[UUID, NodeSettings]
    peers: tuple[Peer, ...]
    vips: tuple[Address, ...]
    announced: tuple[Prefix, ...]
    services: tuple[VirtualService, ...]
    flows: tuple[Flow, ...]


class HostState(Document):
    """All that one backend host must hold.

    *endpoints* are the host's own addresses at which tunnelled packets arrive, *vips* the inner
    addresses it accepts and answers as, *nodes* the only senders it accepts them from.
    """

    kind: Literal["host"] = "host"
    version: int = WIRE_VERSION
    host: UUID
    revision: int
    endpoints: tuple[Address, ...]
    vips: tuple[Address, ...]
    nodes: tuple[Address, ...]


def parse_state(model: type[S], body: bytes) -> S:
    """The document in *body*. Raises BadState if it is not one, or of a version we don't speak."""
    try:
        state = model.model_validate_json(body)
    except ValidationError as error:
        raise BadState(f"not a {model.__name__}: {error}") from error
    if state.version != WIRE_VERSION:
        raise BadState(
            f"the server speaks wire version {state.version}, this agent {WIRE_VERSION}: upgrade the agent"
        )
    return state
