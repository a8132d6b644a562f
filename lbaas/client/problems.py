"""The API's refusals as exceptions, each with the problem document (RFC 9457) that came.

::

    LbaasError
    ├── ServerUnavailable           no usable answer
    ├── NotProgrammed               the time is up and a node or host has not applied the VIP
    └── ApiProblem                  the API refused
        ├── Malformed               400, 405, 413, 415: a defect of who asks
        ├── Unauthenticated         401
        │   └── CertificateNeeded
        ├── Forbidden               403
        │   └── Suspended
        ├── NotFound                404
        ├── Gone                    410
        ├── Conflict                409
        │   ├── InFlight
        │   ├── QuotaExceeded
        │   ├── InUse
        │   ├── NameTaken
        │   ├── AddressTaken
        │   ├── PortsOverlap
        │   ├── PoolExhausted
        │   └── MarksExhausted
        ├── ChangedMeanwhile        412
        ├── Invalid                 422
        │   └── KeyReused
        ├── BlindWrite              428
        ├── RateLimited             429
        └── ServerFailed            5xx
"""

import json
from collections.abc import Mapping

from lbaas.client.exchange import Json
from lbaas.domain.terms import NodeAdminState
from lbaas.errors import FieldProblem, LbaasError
from lbaas.wire.operators import Node
from lbaas.wire.status import VipStatus


class ApiProblem(LbaasError):
    """The API refused: *problem* is its RFC 9457 body."""

    def __init__(self, status: int, problem: Json, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem
        self.retry_after_s = retry_after_s

    @property
    def type(self) -> str:
        """Like ``/errors/in-use``; empty if it was no server of ours that answered."""
        return str(self.problem.get("type", ""))

    @property
    def detail(self) -> str:
        """What is wrong and what to do about it, for a person."""
        return str(self.problem.get("detail") or self.problem.get("title") or self.status)

    @property
    def problems(self) -> list[FieldProblem]:
        """The bad fields, each by its JSON pointer into the request's body or its parameter's name."""
        return [
            FieldProblem(
                detail=bad.get("detail", ""),
                pointer=bad.get("pointer"),
                parameter=bad.get("parameter"),
            )
            for bad in self.problem.get("problems") or ()
        ]


class Malformed(ApiProblem):
    """The request makes no sense to the server."""


class Unauthenticated(ApiProblem):
    """No token, or one that is unknown, expired or revoked."""


class CertificateNeeded(Unauthenticated):
    """The agent must present a certificate, and one of its own."""


class Forbidden(ApiProblem):
    """The token is good; its role may not do this."""


class Suspended(Forbidden):
    """The tenant may read, and change nothing, until the operator resumes it."""


class NotFound(ApiProblem):
    """No such object for this token."""


class Gone(ApiProblem):
    """The node or backend host that the token was made for was deleted."""


class Conflict(ApiProblem):
    """The present state of things forbids it."""


class InFlight(Conflict):
    """A request with the same idempotency key is being worked on."""


class QuotaExceeded(Conflict):
    """The tenant would own more than its quota."""


class InUse(Conflict):
    """Others use the object; ``problem["used_by"]`` lists them."""


class NameTaken(Conflict):
    """Another object of the same kind has the name."""


class AddressTaken(Conflict):
    """The wanted address is allocated, reserved, or in nobody's pool."""


class PortsOverlap(Conflict):
    """Another listener of the VIP has some of the ports."""


class PoolExhausted(Conflict):
    """No address is free in the pool."""


class MarksExhausted(Conflict):
    """No fwmark is free in the cluster."""


class ChangedMeanwhile(ApiProblem):
    """The object is not as it was when it was read: read again, then decide again."""


class Invalid(ApiProblem):
    """A field's value can't be accepted; :attr:`problems` says which."""


class KeyReused(Invalid):
    """The idempotency key belongs to another request."""


class BlindWrite(ApiProblem):
    """The request replaces what the client may never have seen."""


class RateLimited(ApiProblem):
    """The token asked too often; :attr:`retry_after_s` says when it may ask again."""


class ServerFailed(ApiProblem):
    """The server can't answer now, or has a defect: its log has the ``X-Request-Id``."""


class NotProgrammed(LbaasError):
    """The time is up and not every active node and backend host has applied the VIP: see *status*."""

    def __init__(self, status: VipStatus) -> None:
        super().__init__(f"VIP {status.vip_id} is not programmed: {_behind(status)}")
        self.status = status


class NotSafeToStop(LbaasError):
    """The time is up and the node has not said that nothing arrives at it any more: see *node*."""

    def __init__(self, node: Node) -> None:
        super().__init__(f"node {node.name} may not be stopped yet: {_in_the_way(node)}")
        self.node = node


_BY_TYPE: Mapping[str, type[ApiProblem]] = {
    "/errors/certificate-needed": CertificateNeeded,
    "/errors/suspended": Suspended,
    "/errors/in-flight": InFlight,
    "/errors/quota-exceeded": QuotaExceeded,
    "/errors/in-use": InUse,
    "/errors/name-taken": NameTaken,
    "/errors/address-taken": AddressTaken,
    "/errors/ports-overlap": PortsOverlap,
    "/errors/pool-exhausted": PoolExhausted,
    "/errors/marks-exhausted": MarksExhausted,
    "/errors/key-reused": KeyReused,
}
_BY_STATUS: Mapping[int, type[ApiProblem]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: Malformed,
    409: Conflict,
    410: Gone,
    412: ChangedMeanwhile,
    413: Malformed,
    415: Malformed,
    422: Invalid,
    428: BlindWrite,
    429: RateLimited,
}


def problem_of(
    status: int, reason: str, content: bytes, retry_after_s: float | None = None
) -> ApiProblem:
    """The refusal in an answer; something alike if a proxy wrote it.

    A type that is younger than this client is told by its status.
    """
    problem = _document(reason, content)
    by_status = _BY_STATUS.get(status, ServerFailed if status >= 500 else ApiProblem)
    kind = _BY_TYPE.get(str(problem.get("type")), by_status)
    return kind(status, problem, retry_after_s)


def _document(reason: str, content: bytes) -> Json:
    text = content.decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        return {"title": reason, "detail": text[:200]}
    return body if isinstance(body, dict) else {"title": reason, "detail": str(body)[:200]}


def _behind(status: VipStatus) -> str:
    """Who has not applied it, and why."""
    nodes = [
        f"{node.name} ({_why(node.applied_revision, [one.cause for one in node.failures])})"
        for node in status.nodes
        if not node.programmed and node.admin_state == "active"
    ]
    hosts = [
        f"{host.name} ({_why(host.applied_revision, [])})"
        for host in status.hosts
        if not host.programmed
    ]
    return ", ".join(nodes + hosts) or "its cluster has no active node"


def _why(applied: int | None, causes: list[str]) -> str:
    return "; ".join(causes) or ("never reported" if applied is None else f"at revision {applied}")


def _in_the_way(node: Node) -> str:
    """Of stopping it."""
    if node.admin_state is NodeAdminState.ACTIVE:
        return "it was put back into service"
    if node.facts is None:
        return "it never said what it sees"
    return (
        f"it announces its VIPs still, or clients' packets come, {node.facts.ingress_packets} so far; "
        f"its newest report is of {node.reported_at}"
    )
