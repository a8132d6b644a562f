"""The feed's old rows are removed; what anybody may still ask for is not.

Kept, however old: the newest row of each object that exists, which tells a VIP's own revision, and the newest
row of each cluster, which is the cluster's revision. For the rest ``pruned.upto`` says below which revision rows
may be missing: an agent from there gets the whole.
"""

from datetime import timedelta

from sqlalchemy import text

from lbaas.persistence.database import Database

BATCH = 5_000
PRUNE_LOCK = 0x1BAA7  # any constant, the same in all replicas

_PRUNE = text(
    """
    WITH doomed AS (
        SELECT revision, seq FROM change AS old
        WHERE made_at < now() - CAST(:retention AS interval)
        AND revision < (
            SELECT max(revision) FROM change WHERE cluster_id IS NOT DISTINCT FROM old.cluster_id
        )
        AND (
            EXISTS (
                SELECT FROM change AS newer
                WHERE newer.object_id = old.object_id AND newer.revision > old.revision
                AND newer.cluster_id IS NOT DISTINCT FROM old.cluster_id
            )
            OR kind = 'vip' AND NOT EXISTS (SELECT FROM vip WHERE id = old.object_id)
            OR kind = 'pool' AND NOT EXISTS (SELECT FROM pool WHERE id = old.object_id)
        )
        ORDER BY revision LIMIT :batch
    ), gone AS (
        DELETE FROM change USING doomed
        WHERE (change.revision, change.seq) = (doomed.revision, doomed.seq)
        RETURNING change.revision
    ), told AS (
        UPDATE pruned SET upto = greatest(upto, (SELECT max(revision) FROM gone))
        WHERE EXISTS (SELECT FROM gone)
    )
    SELECT count(*) FROM gone
    """
)


async def prune(database: Database, retention: timedelta) -> int:
    """So many rows older than *retention* were removed, in batches; 0 if another replica is at it."""
    removed = 0
    while batch := await _prune_batch(database, retention):
        removed += batch
    return removed


async def _prune_batch(database: Database, retention: timedelta) -> int:
    async with database.session() as session, session.begin():
        ours = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not await session.scalar(ours, {"key": PRUNE_LOCK}):
            return 0
        found = await session.scalar(_PRUNE, {"retention": retention, "batch": BATCH})
        return found or 0
