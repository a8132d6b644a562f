"""What the compiler reads: rows of one instant, as frozen records; but for members in no particular order.

VIPs and their members come by the ten thousand and go straight to the wire: their addresses and words are text as
Postgres writes it, and their records tuples, which are made fastest. What is few is parsed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NotRequired, TypedDict
from uuid import UUID

from lbaas.domain.addresses import Address
from lbaas.domain.terms import (
    Encapsulation,
    Forwarding,
    NodeAdminState,
    Protocol,
    Scheduler,
    WhenNoBackend,
)


@dataclass(frozen=True, kw_only=True)
class NodeRow:
    id: UUID
    name: str
    admin_state: NodeAdminState
    removal_confirmed: int | None = None
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PeerRow:
    name: str
    address: Address
    as_number: int
    password: str | None
    bfd: bool
    multihop: bool
    graceful_restart: bool = False


@dataclass(frozen=True, kw_only=True)
class ClusterRow:
    """A cluster with its nodes and peers. *timeouts* are by field of the wire's."""

    id: UUID
    as_number: int
    mark_first: int
    mark_last: int
    nodes: tuple[NodeRow, ...]
    peers: tuple[PeerRow, ...]
    timeouts: Mapping[str, int] = field(default_factory=dict)
    removal_guard_percent: int = 50
    connection_sync: bool = False


class MemberRow(TypedDict):
    """*drained_at*, in seconds since the epoch, is there if it is drained; *node*, on whose machine it is, if known.

    In JSON's own types, and in the order of its keys: most members are a backend as they stand.
    """

    address: str
    drained_at: NotRequired[int]
    node: NotRequired[str]
    weight: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceRow:
    """What a listener and its pool say that others may say too. Those that say the same share one.

    *ports* are pairs (first, last), both included. Words are those of Protocol, Scheduler, Forwarding and
    Encapsulation; *monitor* is as the API shows it. *dual*: the listener serves a VIP of the other family as well.
    """

    ports: tuple[tuple[int, int], ...]
    protocol: str = Protocol.TCP
    allowed_sources: tuple[str, ...] = ()
    dual: bool = False
    monitor: Mapping[str, Any] | None = None
    scheduler: str = Scheduler.MH
    forwarding: str = Forwarding.TUNNEL
    encapsulation: str | None = Encapsulation.IPIP
    gue_port: int | None = None
    hash_ports: bool = True
    persistence_s: int | None = None
    persistence_prefix_v4: int | None = None
    persistence_prefix_v6: int | None = None
    one_packet: bool = False
    drain_deadline_s: int | None = None
    quorum: int = 1
    local: bool = False


class ListenerRow(NamedTuple):
    """*id* is a UUID's text. *members* are its pool's, by age."""

    id: str
    mark: int
    service: ServiceRow
    members: Sequence[MemberRow] = ()


class VipRow(NamedTuple):
    """A VIP with all that hangs on it. *id* is a UUID's text. *communities* are its own and its address pool's."""

    id: str
    address: str
    listeners: tuple[ListenerRow, ...]
    allowed_sources: tuple[str, ...] = ()
    new_connections_per_source: int | None = None
    when_no_backend: str = WhenNoBackend.SEND_TO_ALL
    communities: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Touched:
    """What changes touched, as it is now.

    *cluster* is None where nothing of it was touched. *vips* are read once; those of *named* that are not among them
    are gone.
    """

    cluster: ClusterRow | None
    named: Collection[UUID]
    vips: Iterable[VipRow]


class WayRow(NamedTuple):
    """Packets for the VIP *address* come to the host, at *endpoint*, in this way."""

    address: Address
    forwarding: Forwarding = Forwarding.TUNNEL
    encapsulation: Encapsulation | None = Encapsulation.IPIP
    gue_port: int | None = None
    vip: UUID | None = None
    endpoint: Address | None = None


@dataclass(frozen=True, kw_only=True)
class HostRow:
    """All rows that concern one backend host.

    *ways* are to the VIPs that some listener sends to a member at one of *addresses*; *nodes* the addresses
    of all nodes of these VIPs' clusters. *depends_on* names the host, these VIPs, their clusters and the pools:
    a change of none of them changes these rows, unless it makes a member of the host reachable. *of_pods*: its
    addresses are several network namespaces', each with VIPs of its own.
    """

    id: UUID
    addresses: tuple[Address, ...]
    ways: tuple[WayRow, ...]
    nodes: tuple[Address, ...]
    depends_on: frozenset[UUID] = frozenset()
    of_pods: bool = False
