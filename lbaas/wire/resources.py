"""The REST resources, as the API takes them (``…Create``, ``…Patch``) and as it shows them.

Inputs refuse unknown fields: a misspelt field that is silently dropped is a wrong configuration.
Outputs have no defaults: every field is always there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from itertools import pairwise
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
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
from lbaas.wire.report import Failure

T = TypeVar("T")

MAX_WEIGHT = 1000  # the kernel's mh table has a few thousand slots: finer steps would not show

NO_MEMBER_PORT = (
    "a member has no port of its own: with Direct Server Return the packet reaches the backend unchanged, "
    "so the backend listens on the VIP's port; leave the field out"
)


def _address(value: Any) -> IPv4Address | IPv6Address:
    """One error at the field itself, where a union of both families would give one for each of them."""
    address = _parsed(ip_address, value, "an address, like 192.0.2.1 or 2001:db8::1")
    if isinstance(address, IPv6Address) and address.scope_id:
        raise PydanticCustomError("address_zone", "an address with a zone means nothing elsewhere")
    return address


def _prefix(value: Any) -> IPv4Network | IPv6Network:
    return _parsed(ip_network, value, "a prefix, like 192.0.2.0/24 or 2001:db8::/64")


def _parsed(parse: Callable[[str], T], value: Any, wanted: str) -> T:
    """*value*, which is text or was parsed before; numbers are not: 5 is not 0.0.0.5 here."""
    if isinstance(value, int | bytes):
        raise PydanticCustomError("address_text", "not text: write {wanted}", {"wanted": wanted})
    try:
        return parse(value)
    except ValueError as error:
        raise PydanticCustomError(
            "address_value", "{why}: write {wanted}", {"why": str(error), "wanted": wanted}
        ) from error


def _distinct(values: Sequence[T]) -> Sequence[T]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("duplicates", "names the same thing twice")
    return values


IP_TEXT = {"anyOf": [{"type": "string", "format": name} for name in ("ipv4", "ipv6")]}
PREFIX_TEXT = {
    "type": "string",
    "format": "ip-prefix",
    "examples": ["192.0.2.0/24", "2001:db8::/64"],
}

Address = Annotated[IPv4Address | IPv6Address, PlainValidator(_address), WithJsonSchema(IP_TEXT)]
Prefix = Annotated[IPv4Network | IPv6Network, PlainValidator(_prefix), WithJsonSchema(PREFIX_TEXT)]
Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$", examples=["web-1"])
]
LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
AsNumber = Annotated[int, Field(strict=True, ge=1, le=0xFFFFFFFF)]
Mark = Annotated[int, Field(strict=True, ge=1, le=0xFFFFFFFF)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Weight = Annotated[int, Field(strict=True, ge=0, le=MAX_WEIGHT)]
Password = Annotated[str, Field(pattern=r"^[!-~]{1,80}$", examples=["a-shared-secret"])]
Addresses = Annotated[
    tuple[Address, ...], Field(min_length=1, max_length=64), AfterValidator(_distinct)
]
Prefixes = Annotated[tuple[Prefix, ...], Field(max_length=1000), AfterValidator(_distinct)]


class Input(BaseModel):
    """A request's body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Patch(Input):
    """A change: what is left out stays. Null is no value, except where a field says so."""

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, body: Any) -> Any:
        for name, value in body.items() if isinstance(body, dict) else ():
            if value is None and name in cls.model_fields and name not in cls.clearable():
                raise PydanticCustomError(
                    "null", "null is no value here: leave it out to keep it", {"field": name}
                )
        return body

    @classmethod
    def clearable(cls) -> frozenset[str]:
        """Fields that null empties."""
        return frozenset()

    def changes(self) -> dict[str, Any]:
        """The fields that the request named, as values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Resource(BaseModel):
    """An object as the API shows it."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    created_at: datetime
    updated_at: datetime


R = TypeVar("R", bound=BaseModel)


class Page(BaseModel, Generic[R]):
    """Some of a list's objects, oldest first, and where the next page begins, if there is one."""

    model_config = ConfigDict(frozen=True)

    items: list[R]
    next_cursor: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """``VipPage`` rather than ``Page[Vip]``: code generators like it better."""
        return f"{params[0].__name__}Page"


# Operators' resources.


class TenantCreate(Input):
    name: Name
    backend_prefixes: Prefixes = Field(
        default=(), description="Where the tenant's members may live; nowhere if empty."
    )


class TenantPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    backend_prefixes: Prefixes | SkipJsonSchema[None] = None


class Tenant(Resource):
    name: str
    backend_prefixes: list[Prefix]


class TokenCreate(Input):
    name: Name
    role: Role
    tenant_id: UUID | None = Field(
        default=None, description="For member and reader, and only for them."
    )
    node_id: UUID | None = Field(default=None, description="For node, and only for it.")
    host_id: UUID | None = Field(default=None, description="For host, and only for it.")
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _bearer_fits_role(self) -> Self:
        wanted = BEARER_FIELD.get(self.role)
        for field in ("tenant_id", "node_id", "host_id"):
            given = getattr(self, field) is not None
            if given != (field == wanted):
                verb = "does not take" if given else "needs"
                raise PydanticCustomError(
                    "bearer",
                    "a token of role {role} {verb} {field}",
                    {"role": self.role.value, "verb": verb, "field": field},
                )
        return self


BEARER_FIELD = {
    Role.MEMBER: "tenant_id",
    Role.READER: "tenant_id",
    Role.NODE: "node_id",
    Role.HOST: "host_id",
}


class Token(Resource):
    name: str
    role: Role
    prefix: str
    tenant_id: UUID | None
    node_id: UUID | None
    host_id: UUID | None
    expires_at: datetime | None


class NewToken(Token):
    token: str = Field(description="The secret itself. It is shown this once and stored nowhere.")


class MarkRange(Input):
    first: Mark = 0x10000000
    last: Mark = 0x1000FFFF

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last < self.first:
            raise PydanticCustomError("mark_range", "the range ends before it begins")
        return self


class ClusterCreate(Input):
    name: Name
    as_number: AsNumber
    marks: MarkRange = MarkRange()


class ClusterPatch(Patch):
    name: Name | SkipJsonSchema[None] = None


class Cluster(Resource):
    name: str
    as_number: int
    marks: MarkRange


class NodeCreate(Input):
    cluster_id: UUID
    name: Name
    addresses: Addresses = Field(description="The sources of its tunnels.")
    admin_state: NodeAdminState = NodeAdminState.ACTIVE


class NodePatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    addresses: Addresses | SkipJsonSchema[None] = None
    admin_state: NodeAdminState | SkipJsonSchema[None] = None


class Node(Resource):
    cluster_id: UUID
    name: str
    addresses: list[Address]
    admin_state: NodeAdminState
    applied_revision: int | None
    changes: int | None = Field(description="Writes to kernel and BIRD since the agent started.")
    repaired: int | None = Field(description="Those of them that undid what others had changed.")
    reported_at: datetime | None


class PeerCreate(Input):
    cluster_id: UUID
    name: Name
    address: Address
    as_number: AsNumber
    password: Password | None = None
    bfd: StrictBool = True
    multihop: StrictBool = False


class PeerPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    address: Address | SkipJsonSchema[None] = None
    as_number: AsNumber | SkipJsonSchema[None] = None
    password: Password | None = Field(default=None, description="Null removes it.")
    bfd: StrictBool | SkipJsonSchema[None] = None
    multihop: StrictBool | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"password"})


class Peer(Resource):
    cluster_id: UUID
    name: str
    address: Address
    as_number: int
    has_password: bool
    bfd: bool
    multihop: bool


class AddressPoolCreate(Input):
    name: Name
    cluster_id: UUID
    prefix: Prefix
    reserved: Prefixes = Field(
        default=(), description="Parts of the prefix that are never given out."
    )
    tenant_ids: Annotated[tuple[UUID, ...], Field(max_length=1000)] | None = Field(
        default=None, description="Who may have addresses of it; everybody if null."
    )


class AddressPoolPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    tenant_ids: Annotated[tuple[UUID, ...], Field(max_length=1000)] | None = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"tenant_ids"})


class AddressPool(Resource):
    name: str
    cluster_id: UUID
    prefix: Prefix
    reserved: list[Prefix]
    tenant_ids: list[UUID] | None


class BackendHostCreate(Input):
    name: Name
    addresses: Addresses = Field(description="Where tunnelled packets reach it.")


class BackendHostPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    addresses: Addresses | SkipJsonSchema[None] = None


class BackendHost(Resource):
    name: str
    addresses: list[Address]
    applied_revision: int | None
    changes: int | None = Field(description="Writes to the kernel since the agent started.")
    repaired: int | None = Field(description="Those of them that undid what others had changed.")
    reported_at: datetime | None


# Tenants' resources.


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

    @model_validator(mode="before")
    @classmethod
    def _no_port(cls, body: Any) -> Any:
        if isinstance(body, dict) and "port" in body:
            raise PydanticCustomError("member_port", NO_MEMBER_PORT, {"field": "port"})
        return body


class MemberPatch(Patch):
    weight: Weight | SkipJsonSchema[None] = None
    admin_state: MemberAdminState | SkipJsonSchema[None] = None


class Member(Resource):
    tenant_id: UUID
    pool_id: UUID
    address: Address
    weight: int
    admin_state: MemberAdminState


def _one_each(members: tuple[MemberCreate, ...]) -> tuple[MemberCreate, ...]:
    _distinct([member.address for member in members])
    return members


Members = Annotated[tuple[MemberCreate, ...], Field(max_length=1000), AfterValidator(_one_each)]


class InlinePool(Input):
    """A pool that is made together with the listener that uses it."""

    name: Name | None = Field(default=None, description="<VIP>-<listener> if left out.")
    scheduler: Scheduler = Scheduler.MH
    forwarding: Forwarding = Forwarding.TUNNEL
    members: Members = ()


class PoolCreate(Input):
    tenant_id: UUID | None = Field(default=None, description="For operators: whose it becomes.")
    name: Name
    scheduler: Scheduler = Scheduler.MH
    forwarding: Forwarding = Forwarding.TUNNEL
    members: Members = ()


class PoolPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    scheduler: Scheduler | SkipJsonSchema[None] = None


class Pool(Resource):
    tenant_id: UUID
    name: str
    scheduler: Scheduler
    forwarding: Forwarding


class InlineListener(Input):
    """A listener that is made together with its VIP; it has a pool of its own or an existing one."""

    name: Name
    protocol: Protocol
    ports: PortSet
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


class ListenerCreate(Input):
    vip_id: UUID
    name: Name
    protocol: Protocol
    ports: PortSet
    pool_id: UUID


class ListenerPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    ports: PortSet | SkipJsonSchema[None] = None
    pool_id: UUID | SkipJsonSchema[None] = None


class Listener(Resource):
    tenant_id: UUID
    vip_id: UUID
    name: str
    protocol: Protocol
    ports: list[Ports]
    pool_id: UUID


def _names_differ(listeners: tuple[InlineListener, ...]) -> tuple[InlineListener, ...]:
    _distinct([listener.name for listener in listeners])
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


# What is programmed where.


class NodeStatus(BaseModel):
    """What one node of the VIP's cluster has applied."""

    node_id: UUID
    name: str
    admin_state: NodeAdminState
    applied_revision: int | None
    programmed: bool
    reported_at: datetime | None
    failures: list[Failure]


class HostStatus(BaseModel):
    """What one backend host of the VIP's members has applied."""

    host_id: UUID
    name: str
    applied_revision: int | None
    programmed: bool


class VipStatus(BaseModel):
    """How far the VIP's newest change, *revision*, has come."""

    vip_id: UUID
    revision: int
    programmed: bool
    nodes: list[NodeStatus]
    hosts: list[HostStatus]
