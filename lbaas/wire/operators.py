"""Operators' resources, as the API takes them (``…Create``, ``…Patch``) and as it shows them."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StrictBool, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import NodeAdminState, Role, TenantAdminState
from lbaas.wire.fields import (
    Address,
    Addresses,
    Communities,
    Input,
    Instant,
    Name,
    Patch,
    Prefix,
    Prefixes,
    Resource,
    distinct,
)
from lbaas.wire.report import NodeFacts, Unsent

AsNumber = Annotated[int, Field(strict=True, ge=1, le=0xFFFFFFFF)]
Mark = Annotated[int, Field(strict=True, ge=1, le=0xFFFFFFFF)]
Password = Annotated[str, Field(pattern=r"^[!-~]{1,80}$", examples=["a-shared-secret"])]


Quota = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]


class Quotas(Input):
    """How many of each a tenant may own; what is left out is not limited."""

    vips: Quota | None = None
    listeners: Quota | None = None
    pools: Quota | None = None
    members: Quota | None = None

    def limits(self) -> dict[str, int]:
        """The quotas that there are."""
        return self.model_dump(exclude_none=True)


class Usage(BaseModel):
    """How many of each a tenant owns."""

    vips: int
    listeners: int
    pools: int
    members: int


class TenantCreate(Input):
    name: Name
    backend_prefixes: Prefixes = Field(
        default=(), description="Where the tenant's members may live; nowhere if empty."
    )
    quotas: Quotas = Quotas()
    admin_state: TenantAdminState = TenantAdminState.ACTIVE


class TenantPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    backend_prefixes: Prefixes | SkipJsonSchema[None] = None
    quotas: Quotas | SkipJsonSchema[None] = Field(
        default=None, description="All of them: what is left out is not limited any more."
    )
    admin_state: TenantAdminState | SkipJsonSchema[None] = Field(
        default=None,
        description="suspended: its VIPs are withdrawn and kept, and it may read and not write.",
    )


class Tenant(Resource):
    name: str
    backend_prefixes: list[Prefix]
    quotas: Quotas
    admin_state: TenantAdminState


class TenantInUse(Tenant):
    """A tenant and what it owns at this moment."""

    usage: Usage


class TokenCreate(Input):
    name: Name
    role: Role
    tenant_id: UUID | None = Field(
        default=None, description="For member and reader, and only for them."
    )
    node_id: UUID | None = Field(default=None, description="For node, and only for it.")
    host_id: UUID | None = Field(default=None, description="For host, and only for it.")
    expires_at: Instant | None = None

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
    last_used_at: datetime | None = Field(description="Late by some seconds.")


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


IdleSeconds = Annotated[int, Field(strict=True, ge=1, le=30 * 24 * 3600)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
GUARD = (
    "A node that would lose more than this share of its services at once holds and waits: see "
    "confirm-removal of nodes."
)
SYNC = (
    "The nodes tell each other their flows, so that one lives on when its node dies while a pool changes. "
    "They need a common segment, or multicast between them."
)


class Timeouts(Input):
    """How long nodes remember an idle flow. The kernel has one set for all services of a node."""

    tcp_s: IdleSeconds = 900
    tcp_fin_s: IdleSeconds = 120
    udp_s: IdleSeconds = 300


class ClusterCreate(Input):
    name: Name
    as_number: AsNumber
    marks: MarkRange = MarkRange()
    timeouts: Timeouts = Timeouts()
    removal_guard_percent: Percent = Field(default=50, description=GUARD)
    connection_sync: StrictBool = Field(default=False, description=SYNC)


class ClusterPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    timeouts: Timeouts | SkipJsonSchema[None] = Field(
        default=None, description="All of them: what is left out has its default."
    )
    removal_guard_percent: Percent | SkipJsonSchema[None] = Field(default=None, description=GUARD)
    connection_sync: StrictBool | SkipJsonSchema[None] = Field(default=None, description=SYNC)


class Cluster(Resource):
    name: str
    as_number: int
    marks: MarkRange
    timeouts: Timeouts
    removal_guard_percent: int
    connection_sync: bool


UNSENT = "Usage on its disk that the server has not; null where nothing is counted."
CERTIFICATE = "When the newest certificate of its agent ends; null if it has none."


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


class PeerCreate(Input):
    cluster_id: UUID
    name: Name
    address: Address
    as_number: AsNumber
    password: Password | None = None
    bfd: StrictBool = True
    multihop: StrictBool = False
    graceful_restart: StrictBool = Field(
        default=False, description="It keeps a node's routes for a while when BIRD restarts there."
    )


class PeerPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    address: Address | SkipJsonSchema[None] = None
    as_number: AsNumber | SkipJsonSchema[None] = None
    password: Password | None = Field(default=None, description="Null removes it.")
    bfd: StrictBool | SkipJsonSchema[None] = None
    multihop: StrictBool | SkipJsonSchema[None] = None
    graceful_restart: StrictBool | SkipJsonSchema[None] = None

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
    graceful_restart: bool


Seconds = Annotated[int, Field(strict=True, ge=0, le=30 * 24 * 3600)]


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
    quarantine_s: Seconds = Field(
        default=60,
        description="How long an address rests after its VIP is gone. Only the tenant who had it may "
        "ask for it meanwhile.",
    )
    communities: Communities = Field(
        default=(), description="BGP communities of the announcement of its addresses."
    )


class AddressPoolPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    quarantine_s: Seconds | SkipJsonSchema[None] = None
    tenant_ids: Annotated[tuple[UUID, ...], Field(max_length=1000)] | None = None
    communities: Communities | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"tenant_ids"})


class AddressPool(Resource):
    name: str
    cluster_id: UUID
    prefix: Prefix
    reserved: list[Prefix]
    tenant_ids: list[UUID] | None
    quarantine_s: int
    communities: list[str]


POD_PREFIXES = (
    "Where its pods have their addresses: the host's agent says which of these there are, and they are the "
    "host's as well."
)


class BackendHostCreate(Input):
    name: Name
    addresses: Addresses = Field(description="Where tunnelled packets reach it.")
    prefixes: Prefixes = Field(default=(), description=POD_PREFIXES)


class BackendHostPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    addresses: Addresses | SkipJsonSchema[None] = None
    prefixes: Prefixes | SkipJsonSchema[None] = Field(default=None, description=POD_PREFIXES)


class PodAddresses(Input):
    """The addresses of all pods on a backend host."""

    addresses: Annotated[tuple[Address, ...], Field(max_length=4096), AfterValidator(distinct)]


class BackendHost(Resource):
    name: str
    addresses: list[Address]
    prefixes: list[Prefix]
    applied_revision: int | None
    changes: int | None = Field(description="Writes to the kernel since the agent started.")
    repaired: int | None = Field(description="Those of them that undid what others had changed.")
    reported_at: datetime | None
    unsent: Unsent | None = Field(description=UNSENT)
    certificate_expires_at: datetime | None = Field(description=CERTIFICATE)


class AddressPoolFill(BaseModel):
    """How full an address pool is at this moment."""

    usable: int = Field(description="All addresses of the prefix that are not reserved.")
    allocated: int = Field(description="Those that VIPs have.")
    resting: int = Field(description="Those whose VIP is gone, and that wait for quarantine_s.")
