"""The audit trail, as the API shows it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from lbaas.domain.terms import Role


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
