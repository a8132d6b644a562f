"""What the compiler reads: rows of one instant, as frozen records, in no particular order."""

from dataclasses import dataclass
from uuid import UUID

from lbaas.domain.addresses import Address
from lbaas.domain.terms import (
    Forwarding,
    MemberAdminState,
    NodeAdminState,
    Protocol,
    Scheduler,
)


@dataclass(frozen=True, kw_only=True)
class NodeRow:
    id: UUID
    name: str
    admin_state: NodeAdminState


@dataclass(frozen=True, kw_only=True)
class PeerRow:
    name: str
    address: Address
    as_number: int
    password: str | None
    bfd: bool
    multihop: bool


@dataclass(frozen=True, kw_only=True)
class MemberRow:
    """*id* is a UUIDv7: ordered by age."""

    id: UUID
    address: Address
    weight: int
    admin_state: MemberAdminState


@dataclass(frozen=True, kw_only=True)
class PoolRow:
    scheduler: Scheduler
    forwarding: Forwarding
    members: tuple[MemberRow, ...]


@dataclass(frozen=True, kw_only=True)
class ListenerRow:
    """*ports* are pairs (first, last), both included."""

    vip: Address
    protocol: Protocol
    ports: tuple[tuple[int, int], ...]
    mark: int
    pool_id: UUID


@dataclass(frozen=True, kw_only=True)
class ClusterSnapshot:
    """All rows that concern one cluster."""

    id: UUID
    as_number: int
    mark_first: int
    mark_last: int
    nodes: tuple[NodeRow, ...]
    peers: tuple[PeerRow, ...]
    vips: tuple[Address, ...]
    listeners: tuple[ListenerRow, ...]
    pools: dict[UUID, PoolRow]


@dataclass(frozen=True, kw_only=True)
class HostSnapshot:
    """All rows that concern one backend host.

    *vips* are those that some listener sends to a member at one of *addresses*; *nodes* the addresses of
    all nodes of these VIPs' clusters.
    """

    id: UUID
    addresses: tuple[Address, ...]
    vips: tuple[Address, ...]
    nodes: tuple[Address, ...]
