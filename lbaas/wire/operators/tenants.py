"""Tenants, as operators see them."""

from typing import Annotated

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from lbaas.domain.terms import TenantAdminState
from lbaas.wire.fields import Input, Name, Patch, Prefix, Prefixes, Resource

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


class TenantUsage(BaseModel):
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

    usage: TenantUsage
