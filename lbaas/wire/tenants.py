"""Tenants' resources, as the API takes them (``…Create``, ``…Patch``) and as it shows them."""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import (
    Encapsulation,
    Forwarding,
    MemberAdminState,
    Protocol,
    Role,
    Scheduler,
    WhenNoBackend,
)
from lbaas.wire.fields import (
    Address,
    Communities,
    Input,
    Name,
    Patch,
    Prefix,
    Prefixes,
    Resource,
    distinct,
)
from lbaas.wire.monitors import Monitor, Port

MAX_WEIGHT = 1000  # the kernel's mh table has a few thousand slots: finer steps would not show

NO_MEMBER_PORT = (
    "a member has no port of its own: with Direct Server Return the packet reaches the backend unchanged, "
    "so the backend listens on the VIP's port; leave the field out"
)

Weight = Annotated[int, Field(strict=True, ge=0, le=MAX_WEIGHT)]
LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
DAYS_S = 30 * 24 * 3600
Persistence = Annotated[int, Field(strict=True, ge=1, le=DAYS_S)]
Deadline = Annotated[int, Field(strict=True, ge=0, le=DAYS_S)]
Quorum = Annotated[int, Field(strict=True, ge=1, le=1000)]
V4Length = Annotated[int, Field(strict=True, ge=1, le=32)]
V6Length = Annotated[int, Field(strict=True, ge=1, le=128)]
Rate = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


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


PortSet = Annotated[tuple[PortsInput, ...], Field(max_length=64), AfterValidator(_disjoint)]


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
    drained_at: datetime | None = Field(description="Since when it gets no new flows.")
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


class PoolSettings(Input):
    """How a pool's members are chosen, reached and checked."""

    scheduler: Scheduler = Scheduler.MH
    forwarding: Forwarding = Forwarding.TUNNEL
    encapsulation: Encapsulation | None = Field(
        default=None, description="What a tunnel wraps packets in: ipip if left out."
    )
    gue_port: Port | None = Field(
        default=None, description="Where hosts take in gue: UDP port 6080 if left out."
    )
    hash_ports: StrictBool = Field(
        default=True,
        description="mh and sh hash the source port beside the address. False: all of a client's "
        "connections go to one member.",
    )
    persistence_s: Persistence | None = Field(
        default=None, description="A client stays with its member for so long."
    )
    persistence_prefix_v4: V4Length | None = Field(
        default=None, description="Persistence is for all clients of a prefix of this length."
    )
    persistence_prefix_v6: V6Length | None = None
    one_packet: StrictBool = Field(
        default=False, description="Each datagram is scheduled for itself. For udp only."
    )
    drain_deadline_s: Deadline | None = Field(
        default=None,
        description="So long after it was drained a member loses the flows it still has; never if null.",
    )
    quorum: Quorum = Field(
        default=1,
        description="With fewer healthy members a listener counts as having none.",
    )
    monitor: Monitor | None = Field(
        default=None, description="How members are checked; not at all if null."
    )
    members: Members = ()
    labels: Labels = Field(default_factory=dict)


class InlinePool(PoolSettings):
    """A pool that is made together with the listener that uses it."""

    name: Name | None = Field(default=None, description="<VIP>-<listener> if left out.")


class PoolCreate(PoolSettings):
    tenant_id: UUID | None = Field(default=None, description="For operators: whose it becomes.")
    name: Name


class PoolPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    scheduler: Scheduler | SkipJsonSchema[None] = None
    forwarding: Forwarding | SkipJsonSchema[None] = None
    encapsulation: Encapsulation | None = None
    gue_port: Port | None = None
    hash_ports: StrictBool | SkipJsonSchema[None] = None
    persistence_s: Persistence | None = None
    persistence_prefix_v4: V4Length | None = None
    persistence_prefix_v6: V6Length | None = None
    one_packet: StrictBool | SkipJsonSchema[None] = None
    drain_deadline_s: Deadline | None = None
    quorum: Quorum | SkipJsonSchema[None] = None
    monitor: Monitor | None = Field(default=None, description="All of it; null removes it.")
    labels: Labels | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset(
            {
                "encapsulation",
                "gue_port",
                "persistence_s",
                "persistence_prefix_v4",
                "persistence_prefix_v6",
                "drain_deadline_s",
                "monitor",
            }
        )


class Pool(Resource):
    tenant_id: UUID
    name: str
    scheduler: Scheduler
    forwarding: Forwarding
    encapsulation: Encapsulation | None
    gue_port: int | None
    hash_ports: bool
    persistence_s: int | None
    persistence_prefix_v4: int | None
    persistence_prefix_v6: int | None
    one_packet: bool
    drain_deadline_s: int | None
    quorum: int
    monitor: Monitor | None
    labels: dict[str, str]


class ListenerSettings(Input):
    """Which packets to a VIP a listener takes, and from whom."""

    name: Name
    protocol: Protocol
    ports: PortSet = ()
    all_ports: StrictBool = Field(default=False, description="Instead of ports: each of them.")
    allowed_sources: Prefixes = Field(
        default=(),
        description="Who may come, if the VIP lets him too; anybody if empty.",
    )
    labels: Labels = Field(default_factory=dict)

    @model_validator(mode="after")
    def _some_ports(self) -> Self:
        if self.all_ports == bool(self.ports):
            raise PydanticCustomError(
                "some_ports", "say either ports or all_ports", {"field": "ports"}
            )
        return self


class InlineListener(ListenerSettings):
    """A listener that is made together with its VIP; it has a pool of its own or an existing one."""

    pool: InlinePool | None = None
    pool_id: UUID | None = None

    @model_validator(mode="after")
    def _one_pool(self) -> Self:
        if (self.pool is None) == (self.pool_id is None):
            raise PydanticCustomError(
                "one_pool",
                "say either pool, to make one, or pool_id, to use one",
                {"field": "pool"},
            )
        return self


DUAL = "A VIP of the other family that the listener serves as well, each from the members of its own family."


class ListenerCreate(ListenerSettings):
    vip_id: UUID
    dual_vip_id: UUID | None = Field(default=None, description=DUAL)
    pool_id: UUID


class ListenerPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    dual_vip_id: UUID | None = Field(default=None, description=DUAL)
    ports: PortSet | SkipJsonSchema[None] = None
    all_ports: StrictBool | SkipJsonSchema[None] = None
    allowed_sources: Prefixes | SkipJsonSchema[None] = None
    pool_id: UUID | SkipJsonSchema[None] = None
    labels: Labels | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"dual_vip_id"})

    @model_validator(mode="after")
    def _some_ports(self) -> Self:
        if (self.all_ports and self.ports) or (self.all_ports is False and self.ports == ()):
            raise PydanticCustomError(
                "some_ports", "say either ports or all_ports", {"field": "ports"}
            )
        return self


class Listener(Resource):
    tenant_id: UUID
    vip_id: UUID
    dual_vip_id: UUID | None
    name: str
    protocol: Protocol
    ports: list[Ports]
    all_ports: bool
    allowed_sources: list[Prefix]
    pool_id: UUID
    labels: dict[str, str]


def _names_differ(listeners: tuple[InlineListener, ...]) -> tuple[InlineListener, ...]:
    distinct([listener.name for listener in listeners])
    return listeners


SOURCES = "Who may come, of the VIP's family; anybody if empty."
CONNECTIONS = (
    "New connections a second of one source address, over all listeners; no limit if null."
)
NO_BACKEND = (
    "What becomes of a listener whose members have all failed their checks. withdraw: the node announces "
    "the VIP no more. reject: clients are refused. send_to_all: the checks are doubted."
)
COMMUNITIES = "BGP communities of its announcement, beside its address pool's. For operators."


class VipCreate(Input):
    tenant_id: UUID | None = Field(default=None, description="For operators: whose it becomes.")
    name: Name
    address_pool_id: UUID | None = Field(default=None, description="Any that fits if left out.")
    family: Literal[4, 6] | None = Field(default=None, description="4 if nothing else says it.")
    address: Address | None = Field(default=None, description="Any free one if left out.")
    allowed_sources: Prefixes = Field(default=(), description=SOURCES)
    new_connections_per_source: Rate | None = Field(default=None, description=CONNECTIONS)
    when_no_backend: WhenNoBackend = Field(
        default=WhenNoBackend.SEND_TO_ALL, description=NO_BACKEND
    )
    communities: Communities = Field(default=(), description=COMMUNITIES)
    labels: Labels = Field(default_factory=dict)
    listeners: Annotated[
        tuple[InlineListener, ...], Field(max_length=64), AfterValidator(_names_differ)
    ] = ()


class VipPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    allowed_sources: Prefixes | SkipJsonSchema[None] = Field(default=None, description=SOURCES)
    new_connections_per_source: Rate | None = Field(default=None, description=CONNECTIONS)
    when_no_backend: WhenNoBackend | SkipJsonSchema[None] = Field(
        default=None, description=NO_BACKEND
    )
    communities: Communities | SkipJsonSchema[None] = Field(default=None, description=COMMUNITIES)
    labels: Labels | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"new_connections_per_source"})


class Vip(Resource):
    tenant_id: UUID
    cluster_id: UUID
    address_pool_id: UUID
    name: str
    address: Address
    allowed_sources: list[Prefix]
    new_connections_per_source: int | None
    when_no_backend: WhenNoBackend
    communities: list[str]
    labels: dict[str, str]
    listeners: list[Listener]


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
