"""Nodes of a cluster."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from lbaas.domain.terms import NodeAdminState
from lbaas.wire.fields import Address, Addresses, Input, Name, Patch, Resource
from lbaas.wire.operators.agents import CERTIFICATE, UNSENT
from lbaas.wire.report import NodeFacts, Unsent


class NodeCreate(Input):
    cluster_id: UUID
    name: Name
    addresses: Addresses = Field(description="The sources of its tunnels.")
    admin_state: NodeAdminState = NodeAdminState.ACTIVE


class NodePatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    addresses: Addresses | SkipJsonSchema[None] = None
    admin_state: NodeAdminState | SkipJsonSchema[None] = None


class RemovalConfirmation(Input):
    """An operator's word that a node may remove as many services as *revision* and those before it say."""

    revision: Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]


class Node(Resource):
    cluster_id: UUID
    name: str
    addresses: list[Address]
    admin_state: NodeAdminState
    removal_confirmed: int | None = Field(
        description="Up to this revision it may remove as many services as it takes."
    )
    applied_revision: int | None
    changes: int | None = Field(description="Writes to kernel and BIRD since the agent started.")
    repaired: int | None = Field(description="Those of them that undid what others had changed.")
    reported_at: datetime | None
    checked: int | None = Field(description="Members that it checks, once for each listener.")
    certificate_expires_at: datetime | None = Field(description=CERTIFICATE)
    facts: NodeFacts | None = Field(description="What it says of itself; null before it did.")
    unsent: Unsent | None = Field(description=UNSENT)
