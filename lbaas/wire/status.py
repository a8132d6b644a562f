"""How far a VIP's newest change has come, and how its members are, as the API shows it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from lbaas.domain.terms import NodeAdminState
from lbaas.wire.report import Failure


class NodeStatus(BaseModel):
    """What one node of the VIP's cluster has applied."""

    node_id: UUID
    name: str
    admin_state: NodeAdminState
    applied_revision: int | None
    programmed: bool
    stale: bool = Field(description="No report for 90 seconds, or never.")
    reported_at: datetime | None
    failures: list[Failure]


class HostStatus(BaseModel):
    """What one backend host of the VIP's members has applied."""

    host_id: UUID
    name: str
    applied_revision: int | None
    programmed: bool
    stale: bool = Field(description="No report for 90 seconds, or never.")


class VipStatus(BaseModel):
    """How far the VIP's newest change, *revision*, has come."""

    vip_id: UUID
    revision: int
    programmed: bool
    nodes: list[NodeStatus]
    hosts: list[HostStatus]
