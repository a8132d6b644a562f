"""The desired state: what the server compiles, what goes over the wire, and what the agents apply.

Over the wire goes a :class:`StateBody`: values by key, all of them or those that changed. An agent keeps
them and reads them as one :class:`ClusterState`, which serves all nodes of a cluster, or one
:class:`HostState`, which serves one backend host (see :mod:`lbaas.wire.reading`).

Sequences are in canonical order: by address, then mark; the backends of a service by age. The kernel's
``mh`` table depends on the order in which backends were added, and two nodes that differ would send one
flow to two backends.
"""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import Forwarding, NodeAdminState, Protocol, Scheduler

WIRE_VERSION = 2

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


class ClusterSettings(Document):
    """Entry ``cluster``: what concerns all nodes."""

    cluster: UUID
    as_number: int
    marks: MarkRange


class ListenerSettings(Document):
    """A listener of a VIP, with the pool that it sends to."""

    mark: Mark
    protocol: Protocol
    ports: tuple[PortRange, ...]
    scheduler: Scheduler
    forwarding: Forwarding
    backends: tuple[Backend, ...]


class VipSettings(Document):
    """Entry ``vip/ID`` of a cluster: a VIP with all that hangs on it, so that it changes as a whole."""

    address: Address
    listeners: tuple[ListenerSettings, ...]


class HostSettings(Document):
    """Entry ``host``: the backend host and the addresses at which tunnelled packets arrive."""

    host: UUID
    endpoints: tuple[Address, ...]


class Located(Document):
    """Entries ``vip/ADDRESS`` and ``node/ADDRESS`` of a backend host."""

    address: Address


class StateBody(Document):
    """What leads from revision *base* to *revision*; from nothing if *base* is null: the whole state.

    *changed* holds entries by key, *deleted* the keys that are gone. ``LBaaS-Digest`` proves the result.
    """

    kind: Literal["cluster", "host"]
    version: int
    base: Annotated[int, Field(ge=0)] | None
    revision: Annotated[int, Field(ge=0)]
    changed: dict[str, Any]
    deleted: tuple[str, ...]


class ClusterState(Document):
    """All that the nodes of one cluster must hold."""

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

    host: UUID
    revision: int
    endpoints: tuple[Address, ...]
    vips: tuple[Address, ...]
    nodes: tuple[Address, ...]
