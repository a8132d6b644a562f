"""Whether what a server offers follows what an agent holds, or comes from another past.

Revisions are ids of transactions. A database that was restored to the past hands them out again, to other
transactions. So a revision is told apart by the moment at which its transaction began, and every answer says
what the server knows of that moment. What does not follow is obeyed only in a new *epoch*, which no program begins:
it is an operator's word that this database is the truth from now on. Decision record: epochs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

EPOCH, MADE_AT, SINCE_MADE_AT = "LBaaS-Epoch", "LBaaS-Made-At", "LBaaS-Since-Made-At"

# Instead of a moment: the revision is so old that the feed has forgotten it. A lost one is newer than that.
FORGOTTEN = "forgotten"


@dataclass(frozen=True)
class Origin:
    """Where a state comes from: the epoch, and when its revision was made, in microseconds since 1970."""

    epoch: UUID
    made_at_us: int

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self | None:
        """As an answer's *headers* say; None of a server that does not say. Raises ValueError for nonsense."""
        if EPOCH not in headers or MADE_AT not in headers:
            return None
        return cls(UUID(headers[EPOCH]), int(headers[MADE_AT]))


def follows(held: Origin | None, offered: Origin | None, since_made_at: str | None) -> bool:
    """True if the state that is *offered* may take the place of the one that is *held*.

    *since_made_at* is what the server knows of the moment of the revision that is held; None if it knows none.
    """
    if held is None or offered is None or held.epoch != offered.epoch:
        return True
    return since_made_at in (FORGOTTEN, str(held.made_at_us))
