"""Fwmarks as rows: one per listener, unique in its cluster.

A freed mark waits until every node that still forwards has confirmed a state without it: a node that holds
the old meaning would send the new listener's packets to the old one's backends. Marks come back only
when the range is used up, so a number rests as long as possible.
"""

import secrets
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import delete, func, select, update

from lbaas.domain.terms import NodeAdminState
from lbaas.errors import MarksExhausted
from lbaas.persistence import extents
from lbaas.persistence.models import CURRENT_REVISION, Cluster, Mark, Node
from lbaas.services.work import Work


async def allocate(work: Work, cluster_id: UUID, listener_ids: Iterable[UUID]) -> None:
    """Each listener has a mark of the cluster. Raises MarksExhausted."""
    cluster = (await work.session.scalars(select(Cluster).where(Cluster.id == cluster_id))).one()
    size = cluster.mark_last - cluster.mark_first + 1
    start = cluster.mark_first + secrets.randbelow(size)
    for listener_id in listener_ids:
        mark = await _take(work, cluster, start)
        work.session.add(Mark(cluster_id=cluster_id, mark=mark, listener_id=listener_id))
    await work.session.flush()


async def free(work: Work, listener_ids: Iterable[UUID]) -> None:
    """The listeners' marks wait for the nodes to forget them."""
    await work.session.execute(
        update(Mark)
        .where(Mark.listener_id.in_(list(listener_ids)))
        .values(listener_id=None, freed_at_revision=CURRENT_REVISION)
    )


async def _take(work: Work, cluster: Cluster, start: int) -> int:
    mark = await extents.take_any(work.session, cluster.id, start)
    if mark is None:
        await _give_back_forgotten(work, cluster.id)
        mark = await extents.take_any(work.session, cluster.id, start)
    if mark is None:
        raise MarksExhausted(
            f"cluster {cluster.name} has no fwmark left: each of its marks is a listener's, or was one's and "
            "waits for a node to apply newer state"
        )
    return mark


async def _give_back_forgotten(work: Work, cluster_id: UUID) -> None:
    """Marks that no node holds any more are free. One caller at a time: the others wait and look again."""
    hold = select(Cluster.id).where(Cluster.id == cluster_id).with_for_update(key_share=True)
    await work.session.execute(hold)
    confirmed = await _confirmed_by_all(work, cluster_id)
    forgotten = delete(Mark).where(Mark.cluster_id == cluster_id, Mark.listener_id.is_(None))
    if confirmed is not None:
        forgotten = forgotten.where(Mark.freed_at_revision <= confirmed)
    for mark in await work.session.scalars(forgotten.returning(Mark.mark)):
        await extents.give_back(work.session, cluster_id, mark)


async def _confirmed_by_all(work: Work, cluster_id: UUID) -> int | None:
    """The revision that every forwarding node has confirmed; None if no node forwards."""
    query = select(func.count(), func.min(func.coalesce(Node.confirmed_revision, 0))).where(
        Node.cluster_id == cluster_id, Node.admin_state != NodeAdminState.MAINTENANCE
    )
    count, confirmed = (await work.session.execute(query)).one()
    return confirmed if count else None
