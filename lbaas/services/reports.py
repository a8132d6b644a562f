"""What agents say they have applied."""

from typing import Any, TypeVar

from sqlalchemy import Update, func, or_, update

from lbaas.domain.terms import Role
from lbaas.errors import Forbidden
from lbaas.persistence.models import BackendHost, Node
from lbaas.services.work import HOSTS, REPORT, Work
from lbaas.wire.report import Report


async def store(work: Work, report: Report) -> None:
    """The agent's row says what *report* says, unless a newer report of the same boot came first."""
    caller = work.caller
    if caller.role is Role.NODE:
        query = update(Node).where(Node.id == caller.node_id).returning(Node.cluster_id)
        clusters = await work.session.scalars(_newer(query, Node, report))
        for cluster in clusters:
            work.tell(REPORT, cluster)
    elif caller.role is Role.HOST:
        hosts = update(BackendHost).where(BackendHost.id == caller.host_id)
        await work.session.execute(_newer(hosts, BackendHost, report))
        work.tell(REPORT, HOSTS)
    else:
        raise Forbidden("only agents report: use a token of role node or host")


U = TypeVar("U", bound=Update)


def _newer(query: U, agent: type[Node] | type[BackendHost], report: Report) -> U:
    """*query* sets what *report* says, if it is newer than what is known."""
    same_boot_later = func.coalesce(agent.sequence, -1) < report.sequence
    return query.where(or_(agent.boot.is_distinct_from(report.boot), same_boot_later)).values(
        **_values(report), updated_at=agent.updated_at
    )


def _values(report: Report) -> dict[str, Any]:
    values = {
        "boot": report.boot,
        "sequence": report.sequence,
        "applied_revision": report.revision,
        "applied_digest": report.digest,
        "changes": report.changes,
        "repaired": report.repaired,
        "failures": [failure.model_dump() for failure in report.failures],
        "reported_at": func.now(),
    }
    if not report.failures:
        values["confirmed_revision"] = report.revision
    return values
