"""Tenants' resources, as the API takes them (``…Create``, ``…Patch``) and as it shows them."""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import (
    Forwarding,
    MemberAdminState,
    NodeAdminState,
    Protocol,
    Role,
    Scheduler,
)
from lbaas.wire.fields import Address, Input, Name, Patch, Resource, distinct
from lbaas.wire.report import Failure

MAX_WEIGHT = 1000  # the kernel's mh table has a few thousand slots: finer steps would not show

NO_MEMBER_PORT = (
    "a member has no port of its own: with Direct Server Return the packet reaches the backend unchanged, "
    "so the backend listens on the VIP's port; leave the field out"
)

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Weight = Annotated[int, Field(strict=True, ge=0, le=MAX_WEIGHT)]
LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]


class PortsInput(Input):
    first: Port
    last: Port | None = Field(default=None, description="As first if left out.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last is not None and self.last < self.first:
            raise PydanticCustomError("port_range", "the range ends before it begins")
        return self


def _disjoint(ports: tuple[PortsInput, ...]) -> tuple[PortsInput, ...]:
    ordered = sorted(ports, key=lambda span: span.first)
    for before, after in pairwise(ordered):
        if after.first <= (before.last or before.first):
            raise PydanticCustomError("port_overlap", "two of the ranges overlap")
    return ports


PortSet = Annotated[
    tuple[PortsInput, ...], Field(min_length=1, max_length=64), AfterValidator(_disjoint)
]


class Ports(BaseModel):
    """Ports *first* to *last*, both included."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    first: int
    last: int


class MemberCreate(Input):
    address: Address
    weight: Weight = 1
    admin_state: MemberAdminState = MemberAdminState.ACTIVE
    labels: Labels = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _no_port(cls, body: Any) -> Any:
        if isinstance(body, dict) and "port" in body:
            raise PydanticCustomError("member_port", NO_MEMBER_PORT, {"field": "port"})
        return body


class MemberPatch(Patch):
    weight: Weight | SkipJsonSchema[None] = None
    admin_state: MemberAdminState | SkipJsonSchema[None] = None
    labels: Labels | SkipJsonSchema[None] = None


class Member(Resource):
    tenant_id: UUID
    pool_id: UUID
    address: Address
    weight: int
    admin_state: MemberAdminState
    labels: dict[str, str]


def _one_each(members: tuple[MemberCreate, ...]) -> tuple[MemberCreate, ...]:
    distinct([member.address for member in members])
    return members


Members = Annotated[tuple[MemberCreate, ...], Field(max_length=1000), AfterValidator(_one_each)]


class MemberSet(Input):
    """Several members at once."""

    members: Members


class MemberList(BaseModel):
    """Several members, oldest first."""

    members: list[Member]


class InlinePool(Input):
    """A pool that is made together with the listener that uses it."""

    name: Name | None = Field(default=None, description="<VIP>-<listener> if left out.")
    scheduler: Scheduler = Scheduler.MH
    forwarding: Forwarding = Forwarding.TUNNEL
    members: Members = ()
    labels: Labels = Field(default_factory=dict)


class PoolCreate(Input):
    tenant_id: UUID | None = Field(default=None, description="For operators: whose it becomes.")
    name: Name
    scheduler: Scheduler = Scheduler.MH
    forwarding: Forwarding = Forwarding.TUNNEL
    members: Members = ()
    labels: Labels = Field(default_factory=dict)


class PoolPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    scheduler: Scheduler | SkipJsonSchema[None] = None
    labels: Labels | SkipJsonSchema[None] = None


class Pool(Resource):
    tenant_id: UUID
    name: str
    scheduler: Scheduler
    forwarding: Forwarding
    labels: dict[str, str]


class InlineListener(Input):
    """A listener that is made together with its VIP; it has a pool of its own or an existing one."""

    name: Name
    protocol: Protocol
    ports: PortSet
    pool: InlinePool | None = None
    pool_id: UUID | None = None
    labels: Labels = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_pool(self) -> Self:
        if (self.pool is None) == (self.pool_id is None):
            raise PydanticCustomError(
                "one_pool",
                "say either pool, to make one, or pool_id, to use one",
                {"field": "pool"},
            )
        return self


class ListenerCreate(Input):
    vip_id: UUID
    name: Name
    protocol: Protocol
    ports: PortSet
    pool_id: UUID
    labels: Labels = Field(default_factory=dict)


class ListenerPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    ports: PortSet | SkipJsonSchema[None] = None
    pool_id: UUID | SkipJsonSchema[None] = None
    labels: Labels | SkipJsonSchema[None] = None


class Listener(Resource):
    tenant_id: UUID
    vip_id: UUID
    name: str
    protocol: Protocol
    ports: list[Ports]
    pool_id: UUID
    labels: dict[str, str]


def _names_differ(listeners: tuple[InlineListener, ...]) -> tuple[InlineListener, ...]:
    distinct([listener.name for listener in listeners])
    return listeners


class VipCreate(Input):
    tenant_id: UUID | None = Field(default=None, description="For operators: whose it becomes.")
    name: Name
    address_pool_id: UUID | None = Field(default=None, description="Any that fits if left out.")
    family: Literal[4, 6] | None = Field(default=None, description="4 if nothing else says it.")
    address: Address | None = Field(default=None, description="Any free one if left out.")
    labels: Labels = Field(default_factory=dict)
    listeners: Annotated[
        tuple[InlineListener, ...], Field(max_length=64), AfterValidator(_names_differ)
    ] = ()


class VipPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    labels: Labels | SkipJsonSchema[None] = None


class Vip(Resource):
    tenant_id: UUID
    cluster_id: UUID
    address_pool_id: UUID
    name: str
    address: Address
    labels: dict[str, str]
    listeners: list[Listener]


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


class Event(BaseModel):
    """Who did what to which object, in which request.

    An update shows the fields that changed, as they were and as they became; a creation shows all of them
    in *after*, a removal in *before*. Secrets are never shown.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    created_at: datetime
    tenant_id: UUID | None
    actor: str
    actor_name: str
    role: Role
    action: Literal["create", "update", "delete"]
    kind: str
    object_id: UUID
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str
