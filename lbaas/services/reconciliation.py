"""Whether what nodes sent is what hosts received, and who answered without having been asked."""

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from lbaas.domain.terms import Role
from lbaas.domain.usage import Question
from lbaas.persistence.ledger import comparing, reading
from lbaas.persistence.ledger.reading import Name
from lbaas.services.usage import bad, owned
from lbaas.services.work import Work
from lbaas.wire.ledger import AgentAccount, Finding, ReconciledVip, Reconciliation, Volume

# A meter's period is a minute, and a report may wait for the one before.
LATE_AFTER = timedelta(minutes=3)


async def page(work: Work, asked: Question, limit: int, cursor: str | None) -> Reconciliation:
    """A page of the VIPs that the caller may see."""
    after = None if cursor is None else _decoded(cursor)
    question = owned(asked, work.caller)
    operator = work.caller.role is Role.ADMIN
    rows: Sequence[Row[Any]] = ()
    if question is not None:
        rows = await comparing.vips(work.session, question, after, limit + 1)
    following = _encoded(rows[limit - 1].vip_id) if len(rows) > limit else None
    return Reconciliation(
        begun_at=asked.begin,
        ended_at=asked.end,
        items=await _reconciled(work, asked, rows[:limit], operator=operator),
        next_cursor=following,
        agents=await _accounts(work, asked) if operator else [],
    )


async def _reconciled(
    work: Work, question: Question, rows: Sequence[Row[Any]], *, operator: bool
) -> list[ReconciledVip]:
    vips = [row.vip_id for row in rows]
    names = await reading.names(work.session, "vip", vips)
    findings: dict[UUID, list[Finding]] = defaultdict(list)
    for row in await comparing.one_sided(work.session, question, vips) if vips else ():
        findings[row.vip_id].append(_finding(row, operator=operator))
    return [_vip(row, names, findings) for row in rows]


def _vip(
    row: Row[Any], names: Mapping[UUID, Name], findings: Mapping[UUID, list[Finding]]
) -> ReconciledVip:
    name = names.get(row.vip_id)
    lost = None if row.mixed else row.ingress_packets - row.received_packets
    found = findings.get(row.vip_id, [])
    return ReconciledVip(
        vip_id=row.vip_id,
        vip=name and name.name,
        address=name and name.address,
        tenant_id=row.tenant_id,
        ingress=Volume(packets=row.ingress_packets, bytes=row.ingress_bytes),
        received=Volume(packets=row.received_packets, bytes=row.received_bytes),
        egress=Volume(packets=row.egress_packets, bytes=row.egress_bytes),
        connections=row.connections,
        lost_packets=lost,
        lost_percent=None if lost is None else _ratio(100 * lost, row.ingress_packets),
        egress_per_ingress=_ratio(row.egress_bytes, row.ingress_bytes),
        # A host that is reached in both ways counts what came out of a tunnel, and that alone.
        findings=[] if row.mixed else found,
    )


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def _finding(row: Row[Any], *, operator: bool) -> Finding:
    return Finding(
        kind="never_answers" if row.received else "answers_outside",
        addresses=row.addresses,
        host_id=row.agent_id if operator else None,
        host=row.name if operator else None,
        volume=Volume(packets=row.packets, bytes=row.bytes),
    )


async def _accounts(work: Work, question: Question) -> list[AgentAccount]:
    late = datetime.now(UTC) - LATE_AFTER
    rows = await comparing.agents(work.session, question.begin, late)
    accounts = [AgentAccount.model_validate(row, from_attributes=True) for row in rows]
    return [account for account in accounts if _remarkable(account)]


def _remarkable(account: AgentAccount) -> bool:
    return account.state != "current" or bool(
        account.missing or account.refused or account.misdated
    )


def _encoded(vip: UUID) -> str:
    return base64.urlsafe_b64encode(vip.bytes).decode().rstrip("=")


def _decoded(cursor: str) -> UUID:
    with suppress(ValueError):
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "==="))
    raise bad("cursor", "not a cursor of this list: pass next_cursor of the page before")
