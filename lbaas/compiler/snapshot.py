"""What the compiler reads: rows of one instant, as frozen records, in no particular order.

VIPs and their members come by the ten thousand and go straight to the wire: their addresses and words are text as
Postgres writes it, and their records tuples, which are made fastest. What is few is parsed.
"""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from lbaas.domain.addresses import Address
from lbaas.domain.terms import NodeAdminState


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
class ClusterRow:
    """A cluster with its nodes and peers."""

    id: UUID
    as_number: int
    mark_first: int
    mark_last: int
    nodes: tuple[NodeRow, ...]
    peers: tuple[PeerRow, ...]


class MemberRow(NamedTuple):
    """*id* is a UUIDv7: ordered by age. *admin_state* is a MemberAdminState."""

    id: UUID
    address: str
    weight: int
    admin_state: str


class PoolRow(NamedTuple):
    """*scheduler* is a Scheduler, *forwarding* a Forwarding."""

    scheduler: str
    forwarding: str
    members: tuple[MemberRow, ...]


class ListenerRow(NamedTuple):
    """*protocol* is a Protocol, *ports* are pairs (first, last), both included."""

    protocol: str
    ports: tuple[tuple[int, int], ...]
    mark: int
    pool: PoolRow


class VipRow(NamedTuple):
    """A VIP with all that hangs on it."""

    id: UUID
    address: str
    listeners: tuple[ListenerRow, ...]


@dataclass(frozen=True, kw_only=True)
class Touched:
    """What changes touched, as it is now.

    *cluster* is None where nothing of it was touched. Those of *vip_ids* that are not among *vips* are gone.
    """

    cluster: ClusterRow | None
    vip_ids: frozenset[UUID]
    vips: tuple[VipRow, ...]


@dataclass(frozen=True, kw_only=True)
class HostRow:
    """All rows that concern one backend host.

    *vips* are those that some listener sends to a member at one of *addresses*; *nodes* the addresses of
    all nodes of these VIPs' clusters.
    """

    id: UUID
    addresses: tuple[Address, ...]
    vips: tuple[Address, ...]
    nodes: tuple[Address, ...]
