"""The error tree.

::

    LbaasError
    ├── Refused               a request that business rules turn down; ``lbaas.api.problems`` maps each to HTTP
    │   ├── Invalid           a field is wrong: says which, why, and what to do
    │   ├── Unauthenticated   no token, or one that does not hold
    │   ├── Forbidden         the token's role may not do this
    │   ├── NotFound          no such object, or another tenant's
    │   ├── Gone              the node or host that the token was for was deleted
    │   └── Conflict          the object's present state forbids it
    │       ├── InUse         … because others use it: says who
    │       ├── NameTaken     … because its name is another's
    │       ├── AddressTaken  … because its address is another's
    │       ├── PortsOverlap  … because another listener has the ports
    │       ├── PoolExhausted no free address left in an address pool
    │       └── MarksExhausted no free fwmark left in a cluster
    ├── StepFailed            one step on a node did not apply: subsystem, operation, key, cause
    ├── ForeignMark           a desired state holds an fwmark outside the cluster's range
    ├── BadState              a desired state that an agent can't trust: garbled, wrong digest, unknown version
    ├── ServerUnavailable     an agent or client got no usable answer from the API
    │   └── Decommissioned    … because this agent's node or host is no longer the server's
    ├── DatabaseUnusable      Postgres can't be reached, started, or is too old: says what to do
    ├── ToolMissing           a program or kernel feature is missing: says how to get it
    └── LabError              the lab could not do what it was told
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class LbaasError(Exception):
    """Everything that this package raises on purpose."""


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One bad field: *pointer* is a JSON pointer (RFC 6901) into the request body."""

    pointer: str
    detail: str


@dataclass
class Refused(LbaasError):
    """A request turned down. *detail* is for a person: what is wrong and what to do about it."""

    detail: str
    problems: Sequence[FieldProblem] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail


class Invalid(Refused):
    """A field's value can't be accepted."""


class Unauthenticated(Refused):
    """No token, or one that is unknown, expired or revoked."""


class Forbidden(Refused):
    """The token is good; its role may not do this."""


class NotFound(Refused):
    """No such object for this caller."""


class Gone(Refused):
    """The node or backend host that the token was made for was deleted."""


class Conflict(Refused):
    """The present state of things forbids it."""


class InUse(Conflict):
    """Others use the object; *extra* lists them under ``used_by``."""


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


class ServerUnavailable(LbaasError):
    """The API gave no usable answer."""


class Decommissioned(ServerUnavailable):
    """The server has no such node or host any more, and says so."""


class DatabaseUnusable(LbaasError):
    """The server has no Postgres that it can work with."""


class ToolMissing(LbaasError):
    """A program, a kernel feature or a right is missing."""


class LabError(LbaasError):
    """The lab could not do what it was told."""
