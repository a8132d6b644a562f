"""The last thing before a commit: all that must hold for every write, whichever service did it."""

from typing import Any

from sqlalchemy import insert, literal_column
from sqlalchemy.exc import IntegrityError

from lbaas.persistence.models import CURRENT_REVISION, Change, Event
from lbaas.persistence.violations import as_refusal
from lbaas.services import quotas
from lbaas.services.trail import Deed
from lbaas.services.work import Work


async def settle(work: Work) -> None:
    """All is written, events too, that a commit would make durable, and nothing forbids it.

    Raises a Refused if a quota does, or another request's write, done at the same time.
    """
    try:
        await work.session.flush()
    except IntegrityError as error:
        raise as_refusal(error) from error
    if work.precondition is not None and not work.precondition.checked:
        raise RuntimeError("nobody has looked at If-Match")
    await quotas.check(work)
    await _note_events(work)


def told(deed: Deed, work: Work) -> dict[str, Any]:
    """The event of *deed*, which *work* has done."""
    return {
        **vars(deed),
        "actor": work.caller.bearer,
        "actor_name": work.caller.name,
        "role": work.caller.role,
        "request_id": work.request_id,
    }


async def _note_events(work: Work) -> None:
    rows = [told(deed, work) for deed in work.trail.deeds()]
    if rows:
        # Which saves asking for the revision later.
        noted = insert(Event).returning(literal_column(CURRENT_REVISION.text, Change.revision.type))
        work.written_at((await work.session.scalars(noted, rows)).all()[0])
