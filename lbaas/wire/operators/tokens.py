"""Tokens of people and of agents."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import Role
from lbaas.wire.fields import Input, Instant, Name, Resource


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
