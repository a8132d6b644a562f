"""Listeners and their ports, as the API takes them and as it shows them."""

from itertools import pairwise
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import Protocol
from lbaas.wire.fields import Input, Name, Patch, Prefix, Prefixes, Resource
from lbaas.wire.monitors import Port
from lbaas.wire.tenants.labels import Labels
from lbaas.wire.tenants.pools import InlinePool


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
