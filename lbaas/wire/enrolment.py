"""How an agent comes by a certificate: an operator's word, the agent's request, what it gets."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lbaas.domain.terms import Role
from lbaas.wire.fields import Input

HOUR_S = 3600
WEEK_S = 7 * 24 * HOUR_S


class EnrolmentCreate(Input):
    """An operator's word that the machine may have a certificate."""

    expires_in_s: Annotated[int, Field(strict=True, ge=60, le=WEEK_S)] = Field(
        default=HOUR_S, description="How long the token may wait to be used."
    )


class NewEnrolment(BaseModel):
    """A token that is good for one certificate. It replaces one that was made before and not used."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str = Field(description="The node's or the backend host's.")
    role: Role
    expires_at: datetime
    token: str = Field(description="The secret itself. It is shown this once and stored nowhere.")
    authority_sha256: list[str] = Field(
        description="By these an agent that trusts nobody yet knows the server: of each authority the SHA-256 "
        "of its public key."
    )


class CertificateRequest(Input):
    """A key whose private half never leaves the agent's machine."""

    csr: Annotated[str, Field(min_length=1, max_length=8192)] = Field(
        description="PKCS #10 in PEM, of elliptic curve P-256 or P-384. A name in it must be the agent's own."
    )


class IssuedCertificate(BaseModel):
    """An agent's certificate. It renews it over itself before *expires_at*."""

    model_config = ConfigDict(frozen=True)

    agent_id: UUID
    certificate: str = Field(description="In PEM.")
    expires_at: datetime
    authorities: list[str] = Field(description="In PEM: whom to trust.")


class Authorities(BaseModel):
    """Those that sign certificates of agents, and of the server where the operator chose so."""

    model_config = ConfigDict(frozen=True)

    certificates: list[str] = Field(description="In PEM, the one that signs first.")
