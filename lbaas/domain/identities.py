"""Who an agent is, in its certificate."""

from dataclasses import dataclass
from uuid import UUID

from lbaas.domain.terms import Role

# Of each installation: what tells two apart is their authorities, and that ids are never the same.
TRUST_DOMAIN = "lbaas"


@dataclass(frozen=True)
class Identity:
    """A node or a backend host, by its id: names change."""

    role: Role
    id: UUID

    @property
    def uri(self) -> str:
        """As SPIFFE writes it: the one name that a certificate of the agent has."""
        return f"spiffe://{TRUST_DOMAIN}/{self.role}/{self.id}"
