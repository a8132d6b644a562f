"""What every conversation has in common."""

from dataclasses import dataclass
from typing import Protocol

from lbaas.health.verdicts import Result


@dataclass(frozen=True)
class Reply:
    """What to send next, and the result once it is known."""

    send: bytes = b""
    result: Result | None = None


LISTENING = Reply()


class Conversation(Protocol):
    """One probe's talk, over a stream or in datagrams."""

    def open(self) -> bytes:
        """What the probe says first."""
        ...

    def hear(self, said: bytes) -> Reply:
        """The reply to *said*, one piece of a stream or one datagram; nothing means that a stream ended."""
        ...


def failed(cause: str) -> Reply:
    """The probe failed, and why."""
    return Reply(result=Result(passed=False, cause=cause))
