"""How a machine comes by its certificate: first by an operator's one-time token, then each by the one before."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.domain.identities import Identity
from lbaas.domain.terms import Role
from lbaas.errors import Conflict, Forbidden, Unauthenticated
from lbaas.persistence.models import AgentCertificate, BackendHost, Enrolment, Node
from lbaas.services.authority import Authority, SigningRequest, parse_request
from lbaas.services.scope import Lock, fetch
from lbaas.services.states import refuse_gone
from lbaas.services.tokens import new_secret, parse_secret
from lbaas.services.work import ALL, Caller, Work
from lbaas.wire import enrolment as wire

START = "lbaas-enrol_"

TABLES: Mapping[Role, type[Node] | type[BackendHost]] = {Role.NODE: Node, Role.HOST: BackendHost}
COLUMNS: Mapping[Role, str] = {Role.NODE: "node_id", Role.HOST: "host_id"}


@dataclass(frozen=True)
class Enrolling:
    """The work of a machine that proves an enrolment, which is ours until the transaction ends."""

    work: Work
    enrolment: Enrolment


def required(authority: Authority | None) -> Authority:
    """The server's authority. Raises Conflict if it has none."""
    if authority is None:
        raise Conflict(
            "this server issues no certificates: its operator makes an authority with lbaas ca init, and names it "
            "in LBAAS_CA_CERT and LBAAS_CA_KEY"
        )
    return authority


async def create(
    work: Work, authority: Authority, role: Role, machine_id: UUID, body: wire.EnrolmentCreate
) -> wire.NewEnrolment:
    """The machine may have a certificate; the answer is the only place where its token can be read.

    A token that was made before, and not used, opens nothing any more.
    """
    machine = await fetch(work, TABLES[role], machine_id, lock=Lock.SHARE)
    await _withdraw(work, Identity(role, machine_id), Enrolment.used_at.is_(None))
    secret = new_secret(START)
    made = Enrolment(
        name=machine.name,
        role=role,
        prefix=secret.prefix,
        secret_sha256=secret.sha256,
        expires_at=datetime.now(UTC) + timedelta(seconds=body.expires_in_s),
        **{COLUMNS[role]: machine_id},
    )
    work.session.add(made)
    await work.session.flush()
    work.confidential = True
    return wire.NewEnrolment(
        id=made.id,
        name=made.name,
        role=role,
        expires_at=made.expires_at,
        token=str(secret),
        authority_sha256=list(authority.pins),
    )


async def begin(session: AsyncSession, token: str, request_id: str) -> Enrolling:
    """The work of whoever has *token*. Raises Unauthenticated."""
    secret = parse_secret(token, START)
    query = select(Enrolment).where(Enrolment.prefix == secret.prefix).with_for_update()
    found = (await session.scalars(query)).one_or_none()
    if found is None or not hmac.compare_digest(found.secret_sha256, secret.sha256):
        raise Unauthenticated("the enrolment token is unknown, or was replaced by a newer one")
    caller = Caller(
        f"enrolment:{found.id}",
        found.name,
        found.role,
        node_id=found.node_id,
        host_id=found.host_id,
    )
    return Enrolling(Work(session, caller, request_id=request_id), found)


async def redeem(
    enrolling: Enrolling, authority: Authority, body: wire.CertificateRequest
) -> wire.IssuedCertificate:
    """The machine's first certificate; those that it had before open nothing any more.

    Asked again for the same key, it is issued again: the first answer may have been lost. Raises Unauthenticated if
    the token has expired, or was used for another key, and Invalid for a request that can't be signed.
    """
    work, enrolment, now = enrolling.work, enrolling.enrolment, datetime.now(UTC)
    if enrolment.expires_at <= now:
        raise Unauthenticated(f"the enrolment token expired at {enrolment.expires_at}")
    identity = _identity(work.caller)
    request = parse_request(body.csr, identity)
    if enrolment.key_sha256 not in (None, request.key_sha256):
        raise Unauthenticated(
            f"the enrolment token was used at {enrolment.used_at}: ask the operator for a new one, and who used it"
        )
    enrolment.key_sha256, enrolment.used_at = request.key_sha256, enrolment.used_at or now
    await _revoke(work, identity)
    return await _issue(work, authority, request, identity)


async def renew(
    work: Work, authority: Authority, body: wire.CertificateRequest
) -> wire.IssuedCertificate:
    """The caller's next certificate; the present one holds until it expires.

    Raises Forbidden if the caller presents none.
    """
    if not work.caller.certified:
        raise Forbidden("a certificate is renewed over itself: a token is not enough")
    refuse_gone(work.caller)
    identity = _identity(work.caller)
    return await _issue(work, authority, parse_request(body.csr, identity), identity)


async def revoke(work: Work, role: Role, machine_id: UUID) -> None:
    """No certificate of the machine opens anything, within a second on every replica, nor does a token to enrol it."""
    await fetch(work, TABLES[role], machine_id, lock=Lock.CHANGE)
    identity = Identity(role, machine_id)
    await _withdraw(work, identity)
    await _revoke(work, identity)
    await _note_expiry(work, identity, None)


async def _withdraw(work: Work, identity: Identity, *where: ColumnElement[bool]) -> None:
    """Row by row: an operator wants to see it among the events."""
    mine = getattr(Enrolment, COLUMNS[identity.role]) == identity.id
    for enrolment in await work.session.scalars(select(Enrolment).where(mine, *where)):
        await work.session.delete(enrolment)


async def _revoke(work: Work, identity: Identity) -> None:
    mine = getattr(AgentCertificate, COLUMNS[identity.role]) == identity.id
    await work.session.execute(delete(AgentCertificate).where(mine))
    await work.revoke(ALL)


async def _issue(
    work: Work, authority: Authority, request: SigningRequest, identity: Identity
) -> wire.IssuedCertificate:
    now = datetime.now(UTC)
    issued = authority.issue(request, identity, now)
    row = {
        "sha256": issued.sha256,
        "role": identity.role,
        COLUMNS[identity.role]: identity.id,
        "issued_at": now,
        "expires_at": issued.expires_at,
    }
    await work.session.execute(insert(AgentCertificate).values(row))
    await _note_expiry(work, identity, issued.expires_at)
    work.confidential = True
    return wire.IssuedCertificate(
        agent_id=identity.id,
        certificate=issued.pem,
        expires_at=issued.expires_at,
        authorities=list(authority.bundle),
    )


async def _note_expiry(work: Work, identity: Identity, expires_at: datetime | None) -> None:
    """Past the object's version and the trail, as a report: its owner has changed nothing."""
    machine = TABLES[identity.role]
    kept = {"certificate_expires_at": expires_at, "updated_at": machine.updated_at}
    statement = update(machine).where(machine.id == identity.id).values(kept)
    await work.session.execute(statement.execution_options(synchronize_session=False))


def _identity(caller: Caller) -> Identity:
    machine_id = caller.node_id or caller.host_id
    if machine_id is None:
        raise Forbidden("only nodes and backend hosts have certificates")
    return Identity(caller.role, machine_id)
