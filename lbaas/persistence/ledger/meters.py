"""How far each meter's reports have been entered, and which of them never came."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence.ledger.entry import Agent
from lbaas.persistence.ledger.tables import usage_gap, usage_meter

Gap = tuple[int, int]


@dataclass(frozen=True)
class Progress:
    """What one request's reports add to what is known of their meter."""

    sequence: int
    counted_until: datetime
    reports: int
    merged: int
    resets: int
    refused: int
    misdated: int


def gaps(entered: int, sequences: Iterable[int]) -> list[Gap]:
    """First and last of each run that is missing between *entered* and *sequences*, which rise."""
    missing = []
    for sequence in sequences:
        if sequence > entered + 1:
            missing.append((entered + 1, sequence - 1))
        entered = sequence
    return missing


async def hold(session: AsyncSession, agent: Agent, meter: UUID) -> int:
    """The last sequence that was entered; no other request goes on with the meter until the transaction ends."""
    statement = insert(usage_meter).values(agent_id=agent.id, meter=meter, role=agent.role)
    same = {"role": statement.excluded.role}
    held = statement.on_conflict_do_update(index_elements=["agent_id", "meter"], set_=same)
    result = await session.execute(held.returning(usage_meter.c.sequence))
    return int(result.scalar_one())


async def advance(
    session: AsyncSession, agent: Agent, meter: UUID, made: Progress, missing: list[Gap]
) -> None:
    """The meter has come as far as *made* says, and *missing* never came."""
    known = usage_meter.c
    lost = sum(last - first + 1 for first, last in missing)
    added = {
        "reports": made.reports,
        "missing": lost,
        "merged": made.merged,
        "resets": made.resets,
        "refused": made.refused,
        "misdated": made.misdated,
    }
    query = update(usage_meter).where(known.agent_id == agent.id, known.meter == meter)
    await session.execute(
        query.values(
            sequence=made.sequence,
            counted_until=func.greatest(known.counted_until, made.counted_until),
            entered_at=func.now(),
            **{name: known[name] + count for name, count in added.items()},
        )
    )
    if missing:
        rows = [
            {"agent_id": agent.id, "meter": meter, "first": first, "last": last}
            for first, last in missing
        ]
        await session.execute(insert(usage_gap), rows)
