"""Members of a pool, as the API takes them and as it shows them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import MemberAdminState
from lbaas.wire.fields import Address, Input, Name, Patch, Resource, distinct
from lbaas.wire.tenants.labels import Labels

MAX_WEIGHT = 1000  # the kernel's mh table has a few thousand slots: finer steps would not show
NO_MEMBER_PORT = (
    "a member has no port of its own: with Direct Server Return the packet reaches the backend unchanged, "
    "so the backend listens on the VIP's port; leave the field out"
)

DAYS_S = 30 * 24 * 3600
Weight = Annotated[int, Field(strict=True, ge=0, le=MAX_WEIGHT)]
Deadline = Annotated[int, Field(strict=True, ge=0, le=DAYS_S)]


class MemberCreate(Input):
    address: Address
    weight: Weight = 1
    admin_state: MemberAdminState = MemberAdminState.ACTIVE
    node: Name | None = Field(
        default=None,
        description="Name of the node on whose own machine it is, where pools are local.",
    )
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
    node: Name | None = None
    labels: Labels | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"node"})


class Member(Resource):
    tenant_id: UUID
    pool_id: UUID
    address: Address
    weight: int
    admin_state: MemberAdminState
    drained_at: datetime | None = Field(description="Since when it gets no new flows.")
    node: str | None
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
