"""How far a VIP's newest change has come, and how its members are, as the API shows it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from lbaas.domain.terms import NodeAdminState
from lbaas.wire.fields import Address
from lbaas.wire.operators import CERTIFICATE
from lbaas.wire.report import Failure


class UnhealthyMember(BaseModel):
    """A member that fails its checks as one node sees it. It gets no new flows from that node."""

    listener_id: UUID
    pool_id: UUID
    address: Address
    since: datetime
    cause: str


class SilentMember(BaseModel):
    """A member from which clients seem to hear nothing at *port*, though others answer there: a hint of one node."""

    port: int
    address: Address


class DroppedPackets(BaseModel):
    """Packets for a listener that the nodes refused, all nodes together, since each made its table."""

    listener_id: UUID
    source: int = Field(description="From a source that may not come.")
    rate: int = Field(description="From one that came too often.")
    malformed: int = Field(description="With flags or fragments that no honest client sends.")


class NodeStatus(BaseModel):
    """What one node of the VIP's cluster has applied."""

    node_id: UUID
    name: str
    admin_state: NodeAdminState
    applied_revision: int | None
    programmed: bool
    stale: bool = Field(description="No report for 90 seconds, or never.")
    reported_at: datetime | None
    certificate_expires_at: datetime | None = Field(description=CERTIFICATE)
    failures: list[Failure]
    unhealthy: list[UnhealthyMember]
    order_differs: bool = Field(
        description="It holds backends in another order than most nodes at its revision, so a flow "
        "that comes to it may go to another member."
    )
    unheard_by: list[Address] = Field(
        default=[],
        description="Routers that the node, as its last audit found, does not tell of the VIP though it should.",
    )
    silent: list[SilentMember] = Field(
        default=[],
        description="Members to which the node, as its last audit found, sends connections that get no further.",
    )


class HostStatus(BaseModel):
    """What one backend host of the VIP's members has applied."""

    host_id: UUID
    name: str
    addresses: list[Address] = Field(description="Those of the VIP's members that are on it.")
    applied_revision: int | None
    programmed: bool
    stale: bool = Field(description="No report for 90 seconds, or never.")
    certificate_expires_at: datetime | None = Field(description=CERTIFICATE)


class VipStatus(BaseModel):
    """How far the VIP's newest change, *revision*, has come."""

    vip_id: UUID
    revision: int
    programmed: bool
    nodes: list[NodeStatus]
    hosts: list[HostStatus]
    dropped: list[DroppedPackets] = Field(
        description="By listener; one that serves two VIPs is counted for both together."
    )
