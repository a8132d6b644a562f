"""VIPs, as the API takes them and as it shows them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from lbaas.domain.terms import WhenNoBackend
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
from lbaas.wire.tenants.labels import Labels
from lbaas.wire.tenants.listeners import InlineListener, Listener

Rate = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
SOURCES = "Who may come, of the VIP's family; anybody if empty."
CONNECTIONS = (
    "New connections a second of one source address, over all listeners; no limit if null."
)

NO_BACKEND = (
    "What becomes of a listener whose members have all failed their checks. withdraw: the node announces "
    "the VIP no more. reject: clients are refused. send_to_all: the checks are doubted."
)

COMMUNITIES = "BGP communities of its announcement, beside its address pool's. For operators."


def _names_differ(listeners: tuple[InlineListener, ...]) -> tuple[InlineListener, ...]:
    distinct([listener.name for listener in listeners])
    return listeners


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
