"""What an agent tells the server after each cycle that had something to tell."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from lbaas.wire.state import Document


class Failure(Document):
    """A step that did not apply, or was held back, and why."""

    subsystem: str
    operation: str
    key: str
    cause: str


class Report(Document):
    """Sequenced within one *boot* of the agent, idempotent: the server keeps the newest.

    *revision* and *digest* name the state that the agent last applied, wholly if *failures* is empty.
    *changes* counts the writes to kernel and BIRD since the agent started, *repaired* those of them
    that undid a drift while the desired state had not changed.
    """

    boot: UUID
    sequence: Annotated[int, Field(ge=0)]
    revision: Annotated[int, Field(ge=0)]
    digest: str
    changes: Annotated[int, Field(ge=0)]
    repaired: Annotated[int, Field(ge=0)]
    failures: tuple[Failure, ...] = ()
