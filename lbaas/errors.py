"""The error tree.

::

    LbaasError
    ├── Refused               a request that business rules turn down; ``lbaas.api.problems`` maps each to HTTP
    │   ├── Invalid           a field is wrong: says which, why, and what to do
    │   │   └── KeyReused     … the idempotency key: it was used for another request
    │   ├── Unauthenticated   no token or certificate, or one that does not hold
    │   │   └── CertificateNeeded … because an agent must present a certificate of its own
    │   ├── Forbidden         the token's role may not do this
    │   │   └── Suspended     … because its tenant is suspended
    │   ├── NotFound          no such object, or another tenant's
    │   ├── RateLimited       the token asks more often than it may
    │   ├── ChangedMeanwhile  the object is not as the client last saw it
    │   ├── BlindWrite        the client must say what it last saw
    │   ├── Gone              the node or host that the token was for was deleted
    │   └── Conflict          the object's present state forbids it
    │       ├── InFlight      … because a request with the same idempotency key is not answered yet
    │       ├── QuotaExceeded … because the tenant would have more than it may
    │       ├── InUse         … because others use it: says who
    │       ├── NameTaken     … because its name is another's
    │       ├── AddressTaken  … because its address is another's
    │       ├── PortsOverlap  … because another listener has the ports
    │       ├── PoolExhausted no free address left in an address pool
    │       └── MarksExhausted no free fwmark left in a cluster
    ├── StepFailed            one step on a node did not apply: subsystem, operation, key, cause
    ├── ForeignMark           a desired state holds an fwmark outside the cluster's range
    ├── BadState              a desired state that an agent can't trust: garbled, wrong digest, unknown version
    │   └── OtherPast         … because it does not follow what the agent holds: was the database restored?
    ├── ServerUnavailable     an agent or client got no usable answer from the API
    │   └── Decommissioned    … because this agent's node or host is no longer the server's
    ├── ClusterUnavailable    the Kubernetes API gave no usable answer
    │   └── ClusterConflict   … because the object is not as it was when it was read
    ├── DatabaseUnusable      Postgres can't be reached, started, or is too old: says what to do
    ├── NoFlow                what a person wrote is no client, VIP, port and protocol
    ├── ToolMissing           a program or kernel feature is missing: says how to get it
    └── LabError              the lab could not do what it was told
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class LbaasError(Exception):
    """Everything that this package raises on purpose."""


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One bad field: *pointer* is a JSON pointer (RFC 6901) into the request body; or a *parameter*'s name."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


@dataclass
class Refused(LbaasError):
    """A request turned down. *detail* is for a person: what is wrong and what to do about it."""

    detail: str
    problems: Sequence[FieldProblem] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    retry_after_s: int | None = None

    def __str__(self) -> str:
        return self.detail


class Invalid(Refused):
    """A field's value can't be accepted."""


class KeyReused(Invalid):
    """The idempotency key belongs to another request; choose a new key for a new request."""


class Unauthenticated(Refused):
    """No token, or one that is unknown, expired or revoked; or such a certificate of an agent."""


class CertificateNeeded(Unauthenticated):
    """The agent must present a certificate, and one of its own: enrol its machine, see ``lbaas node enrol``."""


class Forbidden(Refused):
    """The token is good; its role may not do this."""


class Suspended(Forbidden):
    """The tenant may read, and change nothing, until the operator resumes it."""


class RateLimited(Refused):
    """The token asked too often; ``Retry-After`` says when it may ask again."""


class ChangedMeanwhile(Refused):
    """``If-Match`` names another version than the present one: read again, then decide again."""


class BlindWrite(Refused):
    """The request replaces what the client may never have seen: ``If-Match`` is required."""


class NotFound(Refused):
    """No such object for this caller."""


class Gone(Refused):
    """The node or backend host that the token was made for was deleted."""


class Conflict(Refused):
    """The present state of things forbids it."""


class InUse(Conflict):
    """Others use the object; ``used_by`` lists them."""


class InFlight(Conflict):
    """A request with the same idempotency key is being worked on: ask again shortly."""


class QuotaExceeded(Conflict):
    """The tenant would own more than its quota; ``quota`` says of what, how many, and what is allowed."""


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


@dataclass
class StepFailed(LbaasError):
    """One step did not apply. *cause* is an errno's text, or what the program wrote."""

    subsystem: str
    operation: str
    key: str
    cause: str

    def __str__(self) -> str:
        return f"{self.subsystem}: {self.operation} {self.key}: {self.cause}"


class ForeignMark(LbaasError):
    """A desired state holds an fwmark outside the cluster's range."""


class BadState(LbaasError):
    """A document that must not be applied."""


class OtherPast(BadState):
    """A state whose server does not know what we hold: an operator must say which is the truth."""


class ServerUnavailable(LbaasError):
    """The API gave no usable answer. It asked to be left alone for *retry_after_s*."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Decommissioned(ServerUnavailable):
    """The server has no such node or host any more, and says so."""


class ClusterUnavailable(LbaasError):
    """The Kubernetes API gave no usable answer, or refused."""


class ClusterConflict(ClusterUnavailable):
    """The object of the Kubernetes API has changed since it was read, or exists already."""


class DatabaseUnusable(LbaasError):
    """The server has no Postgres that it can work with."""


class NoFlow(LbaasError):
    """Not a flow that a packet could have: says how to write one."""


class ToolMissing(LbaasError):
    """A program, a kernel feature or a right is missing."""


class LabError(LbaasError):
    """The lab could not do what it was told."""
