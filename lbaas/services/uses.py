"""Which listeners use a pool, and what they forbid it to be. Call with the pool's row held.

A pool changes, a member comes, a listener starts to use it: the same rules, asked from three sides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, select

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol
from lbaas.errors import FieldProblem, Invalid
from lbaas.persistence.models import Cluster, Listener, Pool, Vip
from lbaas.services import clusters, rules
from lbaas.services.work import Work

# The JSON pointer to blame for a field of the pool.
Where = Callable[[str], str]


@dataclass(frozen=True)
class Use:
    """A listener, or several that are alike but for their names, of which *listener* is one.

    *family* is its VIP's; None if it serves two, each from the members of its own family.
    """

    listener: str
    protocol: Protocol
    all_ports: bool
    family: int | None
    cluster_id: UUID


async def of_pool(work: Work, pool_id: UUID, but: UUID | None = None) -> list[Use]:
    """All there are, but that of the listener *but*."""
    kinds = (
        Listener.protocol,
        Listener.all_ports,
        case((Listener.dual_vip_id.is_(None), func.family(Vip.address))),
        Vip.cluster_id,
    )
    query = (
        select(func.min(Listener.name), *kinds)
        .join(Vip, Vip.id == Listener.vip_id)
        .where(Listener.pool_id == pool_id, Listener.id.is_distinct_from(but))
        .group_by(*kinds)
    )
    return [Use(*row) for row in await work.session.execute(query)]


async def allow(work: Work, pool: Pool, uses: Iterable[Use], where: Where) -> None:
    """*uses* may all be made of the pool as it is, and no node joins meanwhile. Raises Invalid."""
    uses = list(uses)
    for use in uses:
        _refuse(rules.unfit(pool, use.listener, use.protocol, all_ports=use.all_ports), where)
    if len({use.family for use in uses} - {None}) > 1 and not rules.bridges(pool):
        reason = (
            f"pool {pool.name} would serve IPv4 and IPv6 VIPs, which only a tunnel of ipip does"
        )
        raise refusal(where("encapsulation"), f"{reason}: make another pool")
    for cluster_id in sorted({use.cluster_id for use in uses}):
        await _nodes_agree(work, pool, cluster_id, where)


async def allow_members(
    work: Work, pool: Pool, uses: Iterable[Use], members: Iterable[tuple[str, Address]]
) -> None:
    """*members*, each with the pointer to blame, can serve *uses*. Raises Invalid."""
    members = list(members)
    for use in uses:
        if use.family is None or all(member.version == use.family for _, member in members):
            continue
        synchronised = rules.bridges(pool) and await _synchronised(work, use.cluster_id)
        for pointer, member in members:
            reason = rules.foreign(pool, member, use.family, synchronised=synchronised)
            if reason is not None:
                raise refusal(pointer, reason)


def refusal(pointer: str, reason: str) -> Invalid:
    """The field at *pointer* is wrong."""
    return Invalid(reason, problems=[FieldProblem(pointer=pointer, detail=reason)])


def possible(pool: Pool, where: Where) -> None:
    """The pool does not contradict itself. Raises Invalid."""
    _refuse(rules.contradiction(pool), where)


async def _nodes_agree(work: Work, pool: Pool, cluster_id: UUID, where: Where) -> None:
    if rules.unlike_nodes(pool, 2) is None:
        return
    await _hold_cluster(work, cluster_id)
    _refuse(rules.unlike_nodes(pool, await clusters.count_nodes(work, cluster_id)), where)


async def _synchronised(work: Work, cluster_id: UUID) -> bool:
    return (await _hold_cluster(work, cluster_id)).connection_sync


async def _hold_cluster(work: Work, cluster_id: UUID) -> Cluster:
    query = select(Cluster).where(Cluster.id == cluster_id).with_for_update(read=True)
    query = query.execution_options(populate_existing=True)
    return (await work.session.scalars(query)).one()


def _refuse(no: rules.No | None, where: Where) -> None:
    if no is not None:
        raise refusal(where(no.field), no.reason)
