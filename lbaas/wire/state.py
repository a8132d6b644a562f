"""The desired state: what the server compiles, what goes over the wire, and what the agents apply.

Over the wire goes a :class:`StateBody`: values by key, all of them or those that changed. An agent keeps
them and reads them as one :class:`ClusterState`, which serves all nodes of a cluster, or one
:class:`HostState`, which serves one backend host (see :mod:`lbaas.wire.reading`).

Sequences are in canonical order: by address, then mark; the backends of a service by age. The kernel's
``mh`` table depends on the order in which backends were added, and two nodes that differ would send one
flow to two backends.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lbaas.domain import addresses
from lbaas.domain.terms import (
    Encapsulation,
    Forwarding,
    NodeAdminState,
    ProbeKind,
    ProbeTarget,
    Protocol,
    Scheduler,
    WhenNoBackend,
)

WIRE_VERSION = 2

GUE_PORT = 6080  # IANA's, for a GUE tunnel that names no port

# No text is of both families: which is tried first changes nothing, and to try both for each would take twice as long.
Address = Annotated[addresses.Address, Field(union_mode="left_to_right")]
Prefix = Annotated[addresses.Prefix, Field(union_mode="left_to_right")]

Port = Annotated[int, Field(ge=1, le=65535)]
Mark = Annotated[int, Field(ge=1, le=0xFFFFFFFF)]
# 64500:1, or 64500:1:2 for a large one.
Community = Annotated[str, Field(pattern=r"^\d{1,10}:\d{1,10}(:\d{1,10})?$")]


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
    """Where packets of a service go. Weight 0: keeps its flows, gets no new ones.

    A drained backend leaves the service at *drain_until*, seconds since the epoch, if it says so. *node* names the
    node on whose machine it is, where the service is local.
    """

    address: Address
    weight: Annotated[int, Field(ge=0, le=65535)]
    drain_until: int | None = None
    node: str | None = None


class Tunnel(Document):
    """How packets are wrapped on their way to a backend. *port* is GUE's UDP port."""

    encapsulation: Encapsulation = Encapsulation.IPIP
    port: Port | None = None

    @property
    def udp_port(self) -> int | None:
        """The outer destination port; None where the wrapping has no ports."""
        return self.port or GUE_PORT if self.encapsulation is Encapsulation.GUE else None


class Affinity(Document):
    """What makes two flows of one client go to one backend.

    *hash_ports*: ``mh`` and ``sh`` hash the source port beside the address. *persistence_s*: a client, or
    all of a prefix of *persistence_prefix* bits, stays with its backend so long. *one_packet*: each
    datagram is scheduled for itself.
    """

    hash_ports: bool = True
    persistence_s: Annotated[int, Field(ge=1)] | None = None
    persistence_prefix: Annotated[int, Field(ge=1, le=128)] | None = None
    one_packet: bool = False


class HttpProbe(Document):
    """The request of an http or https probe, and the answers that count as healthy."""

    method: str = "GET"
    path: str = "/"
    host: str | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    body_contains: str | None = None


class UdpProbe(Document):
    """A datagram and what its answer begins with, in hexadecimal digits; any answer if empty."""

    payload: str = ""
    response: str = ""


class DnsProbe(Document):
    """A question; healthy is any answer that is no error."""

    name: str
    record_type: Literal["A", "AAAA", "NS", "SOA", "TXT"] = "A"


class Monitor(Document):
    """How the members of a listener are checked. *port* is set unless *kind* is icmp."""

    kind: ProbeKind
    target: ProbeTarget
    port: Port | None
    interval_ms: Annotated[int, Field(ge=100)]
    timeout_ms: Annotated[int, Field(ge=50)]
    rise: Annotated[int, Field(ge=1)]
    fall: Annotated[int, Field(ge=1)]
    http: HttpProbe | None = None
    udp: UdpProbe | None = None
    dns: DnsProbe | None = None


class VirtualService(Document):
    """One IPVS service keyed by (address family, fwmark). *vip* is where its clients' packets go.

    *local*: each node sends to backends on its own machine only (see lbaas.node_agent.locality).
    """

    mark: Mark
    family: Literal[4, 6]
    scheduler: Scheduler
    forwarding: Forwarding
    backends: tuple[Backend, ...]
    vip: Address
    tunnel: Tunnel = Tunnel()
    affinity: Affinity = Affinity()
    monitor: Monitor | None = None
    quorum: Annotated[int, Field(ge=1)] = 1
    when_no_backend: WhenNoBackend = WhenNoBackend.SEND_TO_ALL
    local: bool = False


class Flow(Document):
    """Packets to *vip*, *protocol* and *ports* carry *mark*; so do ICMP errors about them."""

    vip: Address
    protocol: Protocol
    ports: PortRange
    mark: Mark


class Admission(Document):
    """Who may open connections of *mark* to *vip*: every set of *sources* must hold him; empty, anybody may.

    *new_connections_per_source* is a second's, over all listeners of the VIP.
    """

    vip: Address
    mark: Mark
    sources: tuple[tuple[Prefix, ...], ...] = ()
    new_connections_per_source: int | None = None


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
    graceful_restart: bool = False


class NodeSettings(Document):
    """What concerns one node only.

    *removal_confirmed* is the revision up to which an operator confirmed that many services may go at once. *addresses*
    are those by which routers know it; they are said where some router is not on its segment.
    """

    name: str
    admin_state: NodeAdminState
    removal_confirmed: int | None = None
    addresses: tuple[Address, ...] = ()


class Timeouts(Document):
    """How long IPVS remembers an idle flow, in seconds. The kernel has one set for all services of a node."""

    tcp_s: Annotated[int, Field(ge=1)] = 900
    tcp_fin_s: Annotated[int, Field(ge=1)] = 120
    udp_s: Annotated[int, Field(ge=1)] = 300


class ClusterSettings(Document):
    """Entry ``cluster``: what concerns all nodes."""

    cluster: UUID
    as_number: int
    marks: MarkRange
    timeouts: Timeouts = Timeouts()
    removal_guard_percent: Annotated[int, Field(ge=1, le=100)] = 50
    connection_sync: bool = False


class ListenerSettings(Document):
    """A listener of a VIP, with the pool that it sends to. Empty *sources*: anybody may come."""

    mark: Mark
    id: UUID | None = None
    protocol: Protocol
    ports: tuple[PortRange, ...]
    scheduler: Scheduler
    forwarding: Forwarding
    backends: tuple[Backend, ...]
    tunnel: Tunnel = Tunnel()
    affinity: Affinity = Affinity()
    sources: tuple[Prefix, ...] = ()
    monitor: Monitor | None = None
    quorum: Annotated[int, Field(ge=1)] = 1
    local: bool = False


class VipSettings(Document):
    """Entry ``vip/ID`` of a cluster: a VIP with all that hangs on it, so that it changes as a whole.

    Who may open connections must be among *sources* here and at the listener, where they say anything, and
    opens at most *new_connections_per_source* a second. *communities* go with its announcement.
    """

    address: Address
    listeners: tuple[ListenerSettings, ...]
    sources: tuple[Prefix, ...] = ()
    new_connections_per_source: Annotated[int, Field(ge=1)] | None = None
    when_no_backend: WhenNoBackend = WhenNoBackend.SEND_TO_ALL
    communities: tuple[Community, ...] = ()


class HostSettings(Document):
    """Entry ``host``: the backend host and the addresses at which tunnelled packets arrive."""

    host: UUID
    endpoints: tuple[Address, ...]


class Located(Document):
    """Entries ``vip/ADDRESS`` and ``node/ADDRESS`` of a backend host.

    *tunnels* are the ways in which packets for a VIP arrive; a node has none. Where VIPs of several clusters
    have one address, which their packets do not tell apart, *vip* is the oldest.
    *endpoints* are those of the host's addresses at which they arrive, where these belong to pods; none are said where
    they all are one machine's.
    """

    address: Address
    vip: UUID | None = None
    tunnels: tuple[Tunnel, ...] = ()
    endpoints: tuple[Address, ...] = ()


class Write(Document):
    """The write that made *revision*: which request it was, and where its trace goes on (W3C Trace Context)."""

    request_id: str
    revision: int
    traceparent: str | None = None


def places(writes: Iterable[Write], after: int = 0) -> list[str]:
    """Where the traces go on of those *writes* above revision *after* that are traced."""
    later = (write.traceparent for write in writes if write.revision > after)
    return [traceparent for traceparent in later if traceparent is not None]


class StateBody(Document):
    """What leads from revision *base* to *revision*; from nothing if *base* is null: the whole state.

    *changed* holds entries by key, *deleted* the keys that are gone. ``LBaaS-Digest`` proves the result. *writes* are
    the newest of those that led from *base* there, the oldest first; where *base* is null, the newest of all.
    """

    kind: Literal["cluster", "host"]
    version: int
    base: Annotated[int, Field(ge=0)] | None
    revision: Annotated[int, Field(ge=0)]
    changed: dict[str, Any]
    deleted: tuple[str, ...]
    writes: tuple[Write, ...] = ()


class ClusterState(Document):
    """All that the nodes of one cluster must hold. *communities* go with the announcement of some prefixes."""

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
    communities: dict[Prefix, tuple[Community, ...]] = {}
    admissions: tuple[Admission, ...] = ()
    timeouts: Timeouts = Timeouts()
    removal_guard_percent: int = 50
    connection_sync: bool = False


class HostState(Document):
    """All that one backend host must hold.

    *endpoints* are the host's own addresses at which tunnelled packets arrive, *vips* the inner
    addresses it accepts and answers as, *nodes* the only senders it accepts them from, *tunnels* the
    wrappings in which they come. *arrivals* are, by VIP, the endpoints that it comes to, where that is not all of them.
    """

    host: UUID
    revision: int
    endpoints: tuple[Address, ...]
    vips: tuple[Address, ...]
    nodes: tuple[Address, ...]
    tunnels: tuple[Tunnel, ...] = (Tunnel(),)
    arrivals: dict[Address, tuple[Address, ...]] = {}
