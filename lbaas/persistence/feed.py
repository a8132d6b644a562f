"""The change feed's rows and revisions.

A revision is the id of the transaction that wrote it. Readers look only below the horizon, the oldest
transaction still running: everything below it has ended in that very snapshot, and whatever commits later
has an id at or above it. So a state built in one snapshot holds every change up to its revision, and no
change can appear later below a revision that was already served. Decision record: feed order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence.models import HORIZON, Change, Listener, Pruned, Vip
from lbaas.persistence.prepared import Prepared
from lbaas.persistence.provenance import UNKNOWN, Provenance

HORIZON_COLUMN = literal_column(HORIZON.text, Change.revision.type)

# Gathered by Postgres: a thousand rows would cost as much as what is made of them.
_BELOW_HORIZON = func.max(Change.revision).filter(Change.revision < HORIZON_COLUMN)
_CHANGES_SINCE = Prepared(
    select(Change.kind, func.array_agg(Change.object_id.distinct()), _BELOW_HORIZON)
    .where(Change.cluster_id == bindparam("cluster"), Change.revision > bindparam("after"))
    .group_by(Change.kind)
)
_LATEST_CHANGES = Prepared(
    select(Change.revision, Change.kind, Change.object_id)
    .where(Change.cluster_id == bindparam("cluster"))
    .order_by(Change.revision.desc(), Change.seq.desc())
    .limit(bindparam("limit"))
)
_OBJECTS_SINCE = Prepared(
    select(func.array_agg(Change.object_id.distinct()), _BELOW_HORIZON).where(
        Change.revision > bindparam("after")
    )
)
# Of this service, in this database, with a write that is open for longer than *patience*.
_END_OVERLONG = text(
    """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'lbaas' AND usename = current_user AND datname = current_database()
    AND backend_xid IS NOT NULL AND xact_start < now() - CAST(:patience AS interval)
    """
)
_CLUSTER_REVISION = Prepared(
    select(func.max(Change.revision)).where(
        Change.cluster_id == bindparam("cluster"), Change.revision < HORIZON_COLUMN
    )
)
_NEWEST_REVISION = Prepared(
    select(func.max(Change.revision)).where(Change.revision < HORIZON_COLUMN)
)
_PRUNED = Prepared(select(Pruned.upto))


ByKind = Mapping[str, Collection[UUID]]


class Noted(NamedTuple):
    """A row of the feed: which object changed at which revision. Read by the thousand: a tuple."""

    revision: int
    kind: str
    object_id: UUID


async def note_change(
    session: AsyncSession,
    kind: str,
    object_id: UUID,
    clusters: Iterable[UUID | None],
    provenance: Provenance = UNKNOWN,
) -> None:
    """The object's change is on the feed of each of *clusters* as soon as the transaction commits."""
    changed = {"kind": kind, "object_id": object_id, **provenance.columns}
    rows = [{"cluster_id": cluster, **changed} for cluster in set(clusters)]
    if rows:
        await session.execute(insert(Change), rows)


async def note_vips(
    session: AsyncSession, which: ColumnElement[bool], provenance: Provenance = UNKNOWN
) -> set[UUID]:
    """A change of each VIP that is *which* is on its cluster's feed; answers the clusters."""
    known = provenance.columns
    written = (literal(value, Text()) for value in known.values())
    vips = select(Vip.cluster_id, literal("vip"), Vip.id, *written).where(which)
    noted = insert(Change).from_select(["cluster_id", "kind", "object_id", *known], vips)
    clusters = await session.scalars(noted.returning(Change.cluster_id))
    return {cluster for cluster in clusters if cluster is not None}


async def note_pool(session: AsyncSession, pool: UUID) -> set[UUID]:
    """A change of the pool is on the feeds of the clusters in which some listener uses it; answers those."""
    using = select(Vip.cluster_id, literal("pool"), literal(pool))
    using = using.join(Listener, Listener.vip_id == Vip.id).where(Listener.pool_id == pool)
    noted = insert(Change).from_select(["cluster_id", "kind", "object_id"], using.distinct())
    return set(await session.scalars(noted.returning(Change.cluster_id)))


async def current_transaction(session: AsyncSession) -> int | None:
    """The revision that this transaction's writes will have; None if it has written nothing."""
    query = select(
        literal_column("pg_current_xact_id_if_assigned()::text::bigint", Change.revision.type)
    )
    return await session.scalar(query)


async def cluster_revision(driver: asyncpg.Connection, cluster: UUID) -> int:
    """The cluster's newest revision below the horizon; 0 if it has none."""
    [(newest,)] = await _CLUSTER_REVISION.rows(driver, cluster=cluster)
    return newest or 0


async def newest_of_cluster(session: AsyncSession, cluster: UUID) -> int:
    """The newest committed revision of the cluster, below the horizon or not; 0 if it has none."""
    query = select(func.max(Change.revision)).where(Change.cluster_id == cluster)
    return await session.scalar(query) or 0


async def changes_since(
    driver: asyncpg.Connection, cluster: UUID, revision: int
) -> tuple[int, ByKind]:
    """The cluster's revision, not below *revision*, and which objects changed after *revision*.

    As far as it is visible, above the horizon too: so a state that follows these rows is what the snapshot
    shows, and not something between.
    """
    found = await _CHANGES_SINCE.rows(driver, cluster=cluster, after=revision)
    below = (newest for _, _, newest in found if newest is not None)
    return max(below, default=revision), {kind: objects for kind, objects, _ in found}


async def latest_changes(driver: asyncpg.Connection, cluster: UUID, limit: int) -> Sequence[Noted]:
    """The newest visible changes of the cluster, newest first."""
    found = await _LATEST_CHANGES.rows(driver, cluster=cluster, limit=limit)
    return [Noted(*row) for row in found]


async def objects_since(driver: asyncpg.Connection, revision: int) -> tuple[int, set[UUID]]:
    """The newest revision of all, not below *revision*, and what changed after *revision* anywhere.

    As far as it is visible, above the horizon too.
    """
    [(objects, newest)] = await _OBJECTS_SINCE.rows(driver, after=revision)
    return newest or revision, set(objects or ())


async def pruned_upto(driver: asyncpg.Connection) -> int:
    """The revision above which no row of the feed has been removed."""
    return max((upto for (upto,) in await _PRUNED.rows(driver)), default=0)


async def newest_revision(driver: asyncpg.Connection) -> int:
    """The newest revision of all below the horizon; 0 if there is none."""
    [(newest,)] = await _NEWEST_REVISION.rows(driver)
    return newest or 0


async def end_overlong(session: AsyncSession, patience: timedelta) -> int:
    """No transaction of ours holds the horizon back for longer than *patience*; how many were ended."""
    return await session.scalar(_END_OVERLONG, {"patience": patience}) or 0


async def vip_revision(session: AsyncSession, vip: UUID) -> int:
    """The newest committed revision that changed the VIP, a listener of it, or a pool that one uses."""
    objects = union_all(
        select(Vip.id).where(Vip.id == vip),
        select(Listener.pool_id).where(or_(Listener.vip_id == vip, Listener.dual_vip_id == vip)),
    )
    query = select(func.max(Change.revision)).where(Change.object_id.in_(objects.scalar_subquery()))
    return await session.scalar(query) or 0
