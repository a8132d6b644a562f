"""Address pools: prefixes that VIPs are given out of."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from lbaas.wire.fields import Communities, Input, Name, Patch, Prefix, Prefixes, Resource

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


class AddressPoolFill(BaseModel):
    """How full an address pool is at this moment."""

    usable: int = Field(description="All addresses of the prefix that are not reserved.")
    allocated: int = Field(description="Those that VIPs have.")
    resting: int = Field(description="Those whose VIP is gone, and that wait for quarantine_s.")
