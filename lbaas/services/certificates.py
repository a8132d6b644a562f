"""Agents' certificates, as they are on record: what is not there opens nothing, whoever signed it.

The one who presents a certificate has its key: TLS has proven that, here or at the proxy that we trust.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.terms import Role
from lbaas.errors import CertificateNeeded, Unauthenticated
from lbaas.persistence.database import Database
from lbaas.persistence.models import AgentCertificate, BackendHost, Enrolment, Node
from lbaas.services.remembered import Remembered
from lbaas.services.work import Caller

# An agent that comes back later than that is told that its certificate is unknown, and not that it has expired.
KEPT = timedelta(days=30)
AGAIN = "enrol this machine again, with a new token of lbaas node enrol or lbaas host enrol"


class CertificateDirectory:
    """Whose a certificate is. Answers from memory as long as revocations are sure to be heard (*hearing*)."""

    def __init__(self, database: Database, hearing: Callable[[], bool]) -> None:
        self._database = database
        self._known = Remembered(self._look_up, hearing)

    async def caller(self, sha256: bytes) -> Caller:
        """The agent that has the certificate. Raises Unauthenticated."""
        caller = await self._known.get(sha256)
        if caller is None:
            raise Unauthenticated(f"the certificate is unknown or revoked: {AGAIN}")
        if caller.expired:
            raise Unauthenticated(f"the certificate expired at {caller.expires_at}: {AGAIN}")
        return caller

    def forget_all(self) -> None:
        """The next use of any certificate asks Postgres."""
        self._known.forget_all()

    async def _look_up(self, sha256: bytes) -> Caller | None:
        async with self._database.session() as session:
            return await _find(session, sha256)


async def _find(session: AsyncSession, sha256: bytes) -> Caller | None:
    query = (
        select(AgentCertificate, Node.cluster_id, func.coalesce(Node.name, BackendHost.name, ""))
        .outerjoin(Node, Node.id == AgentCertificate.node_id)
        .outerjoin(BackendHost, BackendHost.id == AgentCertificate.host_id)
    )
    found = await session.execute(query.where(AgentCertificate.sha256 == sha256))
    row = found.one_or_none()
    if row is None:
        return None
    certificate, cluster_id, name = row
    return Caller(
        bearer=f"{certificate.role}:{certificate.node_id or certificate.host_id}",
        name=name,
        role=certificate.role,
        node_id=certificate.node_id,
        host_id=certificate.host_id,
        cluster_id=cluster_id,
        expires_at=certificate.expires_at,
        certified=True,
    )


def agreed(by_token: Caller | None, by_certificate: Caller | None, *, required: bool) -> Caller:
    """Who asks, of those whom the token and the certificate name. If *required*, no agent comes without one.

    Raises Unauthenticated if there is neither, CertificateNeeded if they are not the same agent's.
    """
    if by_certificate is None:
        if by_token is None:
            raise Unauthenticated("say who you are: Authorization: Bearer lbaas_…")
        if required and by_token.role in (Role.NODE, Role.HOST):
            raise CertificateNeeded(f"here an agent's token alone opens nothing: {AGAIN}")
        return by_token
    if by_token is None:
        return by_certificate
    if (by_token.node_id, by_token.host_id) != (by_certificate.node_id, by_certificate.host_id):
        raise CertificateNeeded(
            f"the certificate is that of {by_certificate.name}, and the token is another's"
        )
    return by_certificate


async def forget_old(session: AsyncSession) -> None:
    """Certificates and enrolments that have been over for long are gone."""
    for model in (AgentCertificate, Enrolment):
        await session.execute(delete(model).where(model.expires_at < func.now() - KEPT))
