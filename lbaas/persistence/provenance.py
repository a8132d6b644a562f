"""Which writes the feed's changes are of: from a revision back to the request, and on to its trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Select, bindparam, select
from sqlalchemy.dialects.postgresql import distinct_on

from lbaas.persistence.models import Change
from lbaas.persistence.prepared import Prepared
from lbaas.wire.state import Write

# Of more in one look only the newest are told of: who looks for one of thousands asks for events.
MOST = 100

# Rows of the feed that are looked through for those that concern some backend host: a millisecond's work.
_MOST_ROWS = 300


@dataclass(frozen=True)
class Provenance:
    """What is noted with a change: the request that wrote it, and its ``traceparent`` if it is traced."""

    request_id: str | None = None
    traceparent: str | None = None

    @property
    def columns(self) -> Mapping[str, str | None]:
        """Of the feed's rows."""
        return {"request_id": self.request_id, "traceparent": self.traceparent}


UNKNOWN = Provenance()


def _between(limit: int, *also: Any) -> Select[*tuple[Any, ...]]:
    return (
        select(Change.revision, Change.request_id, Change.traceparent, *also)
        .where(
            Change.revision > bindparam("after"),
            Change.revision <= bindparam("upto"),
            Change.request_id.is_not(None),
        )
        .ext(distinct_on(Change.revision, *also))
        .order_by(Change.revision.desc(), *also)
        .limit(limit)
    )


_OF_CLUSTER = Prepared(_between(MOST).where(Change.cluster_id == bindparam("cluster")))
_BY_OBJECT = Prepared(_between(_MOST_ROWS, Change.object_id))


async def of_cluster(
    driver: asyncpg.Connection, cluster: UUID, after: int, upto: int
) -> tuple[Write, ...]:
    """The newest writes that made the cluster's revisions above *after*, up to *upto*, the oldest first."""
    rows = await _OF_CLUSTER.rows(driver, cluster=cluster, after=after, upto=upto)
    return tuple(_write(row) for row in reversed(rows))


async def by_object(
    driver: asyncpg.Connection, after: int, upto: int
) -> Sequence[tuple[UUID, Write]]:
    """The newest writes that made revisions above *after*, up to *upto*, with each object that they changed."""
    rows = await _BY_OBJECT.rows(driver, after=after, upto=upto)
    return [(row["object_id"], _write(row)) for row in reversed(rows)]


def _write(row: asyncpg.Record) -> Write:
    return Write(
        request_id=row["request_id"], revision=row["revision"], traceparent=row["traceparent"]
    )
