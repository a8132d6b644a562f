"""Certificates of agents: asked for by operators, fetched and renewed by the agents themselves."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lbaas.api.dependencies import AgentChanges, OperatorChanges, OperatorCreates, Shared
from lbaas.api.problems import responses
from lbaas.api.route import Exchange, Route
from lbaas.api.routers import CREATES, DELETES
from lbaas.domain.terms import Role
from lbaas.errors import Unauthenticated
from lbaas.services import enrolments
from lbaas.services.enrolments import Enrolling
from lbaas.wire import enrolment as wire

router = APIRouter(route_class=Route)

one_time = HTTPBearer(
    scheme_name="OneTimeToken", auto_error=False, description="A one-time token, lbaas-enrol_…."
)


@router.post(
    "/nodes/{node_id}/enrolments",
    status_code=201,
    tags=["operator"],
    summary="Make a one-time token for a node's certificate",
    responses=CREATES,
)
async def create_node_enrolment(
    work: OperatorCreates, shared: Shared, node_id: UUID, body: wire.EnrolmentCreate
) -> wire.NewEnrolment:
    """The node's agent presents it once, with a key of its own, and gets a certificate."""
    authority = enrolments.required(shared.authority)
    return await enrolments.create(work, authority, Role.NODE, node_id, body)


@router.post(
    "/backend-hosts/{backend_host_id}/enrolments",
    status_code=201,
    tags=["operator"],
    summary="Make a one-time token for a backend host's certificate",
    responses=CREATES,
)
async def create_backend_host_enrolment(
    work: OperatorCreates, shared: Shared, backend_host_id: UUID, body: wire.EnrolmentCreate
) -> wire.NewEnrolment:
    """The host's agent presents it once, with a key of its own, and gets a certificate."""
    authority = enrolments.required(shared.authority)
    return await enrolments.create(work, authority, Role.HOST, backend_host_id, body)


@router.delete(
    "/nodes/{node_id}/certificates",
    status_code=204,
    tags=["operator"],
    summary="Revoke a node's certificates",
    responses=DELETES,
)
async def delete_node_certificates(work: OperatorChanges, node_id: UUID) -> None:
    """All of them, and a token that was not used yet: the agent gets nothing until it is enrolled again."""
    await enrolments.revoke(work, Role.NODE, node_id)


@router.delete(
    "/backend-hosts/{backend_host_id}/certificates",
    status_code=204,
    tags=["operator"],
    summary="Revoke a backend host's certificates",
    responses=DELETES,
)
async def delete_backend_host_certificates(work: OperatorChanges, backend_host_id: UUID) -> None:
    """All of them, and a token that was not used yet: the agent gets nothing until it is enrolled again."""
    await enrolments.revoke(work, Role.HOST, backend_host_id)


@router.get(
    "/agent/authorities",
    tags=["agent"],
    summary="Show whom to trust",
    responses=responses(409, 422),
)
async def get_authorities(shared: Shared) -> wire.Authorities:
    """To anybody: it is no secret, and an agent that trusts nobody yet compares it with what its operator says."""
    return wire.Authorities(certificates=list(enrolments.required(shared.authority).bundle))


async def _enrolling(
    request: Request,
    shared: Shared,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(one_time)],
) -> AsyncIterator[Enrolling]:
    if credentials is None:
        raise Unauthenticated("say which machine you are: Authorization: Bearer lbaas-enrol_…")
    async with shared.database.session() as session:
        enrolling = await enrolments.begin(
            session, credentials.credentials, request.state.request_id
        )
        request.state.exchange = Exchange(enrolling.work, None, dry_run=False)
        yield enrolling


@router.post(
    "/agent/enrolment",
    status_code=201,
    tags=["agent"],
    summary="Get a first certificate",
    responses=responses(400, 401, 409, 413, 415, 422, 503),
)
async def create_first_certificate(
    enrolling: Annotated[Enrolling, Depends(_enrolling, scope="function")],
    shared: Shared,
    body: wire.CertificateRequest,
) -> wire.IssuedCertificate:
    """For the machine that the one-time token is for. What it had before opens nothing any more."""
    return await enrolments.redeem(enrolling, enrolments.required(shared.authority), body)


@router.post(
    "/agent/certificate",
    status_code=201,
    tags=["agent"],
    summary="Get the next certificate",
    responses={**CREATES, **responses(410)},
)
async def create_next_certificate(
    work: AgentChanges, shared: Shared, body: wire.CertificateRequest
) -> wire.IssuedCertificate:
    """Over the present one, which holds until it expires."""
    return await enrolments.renew(work, enrolments.required(shared.authority), body)
