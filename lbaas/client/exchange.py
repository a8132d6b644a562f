"""What passes between a client's decisions and its transport; values only.

An operation is a *flow*: a generator that yields attempts, is sent what became of each, and returns its
result. The synchronous and the asynchronous client drive the same flows, so they can't differ.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Json = dict[str, Any]
Parameter = str | int | float | bool

T = TypeVar("T")

KEY = "Idempotency-Key"
IF_MATCH = "If-Match"
ANY_VERSION = "*"


@dataclass(frozen=True)
class Request:
    """One request. *hold_s* is how long the server may keep it before it answers."""

    method: str
    path: str
    params: Mapping[str, Parameter] = field(default_factory=dict)
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hold_s: float = 0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def repeatable(self) -> bool:
        """True if doing it twice leaves what doing it once leaves, and answers alike.

        A change under the ETag of a version is not: done once, the object has another version.
        """
        if self.method in ("GET", "DELETE") or self.params.get("dry_run"):
            return True
        if self.method == "POST":
            return KEY in self.headers
        return self.headers.get(IF_MATCH, ANY_VERSION) == ANY_VERSION


@dataclass(frozen=True)
class Answer:
    """What the server said. The names of *headers* are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    reason: str = ""


@dataclass(frozen=True)
class Lost:
    """No answer. *sent*: the server may have got the request, and may have done it."""

    why: str
    sent: bool


Outcome = Answer | Lost


@dataclass(frozen=True)
class Attempt:
    """Send *request*, no sooner than *after_s* seconds from now."""

    request: Request
    after_s: float = 0


Flow = Generator[Attempt, Outcome, T]
