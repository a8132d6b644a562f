"""A subject's state as one process knows it, brought up to date from Postgres by what changed.

From one snapshot: horizon, revision, changes and rows must be of one instant.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Self
from uuid import UUID

import asyncpg

from lbaas.compiler.compile import compile_cluster, compile_vips, recompile, vip_key
from lbaas.compiler.history import History, Step
from lbaas.errors import NotFound
from lbaas.persistence import feed, provenance, served, snapshot
from lbaas.wire.body import Kind, Update
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.state import Write

# So many changes of the past are read when a process first serves a cluster: agents that another process
# served before get deltas from this one.
LATEST_CHANGES = 10_000

# So many VIPs are read and compiled at a time, a few milliseconds' work: between, other polls are answered.
BATCH = 200


@dataclass(frozen=True)
class Subject:
    """Whose state: a cluster's or a backend host's."""

    kind: Kind
    id: UUID


@dataclass(frozen=True)
class Book:
    """The state at *revision*, and what changed on the way there; of the *writes* that did it the newest."""

    revision: int
    entries: Entries
    history: History
    writes: tuple[Write, ...] = ()

    def following(self, revision: int, entries: Entries, writes: Iterable[Write] = ()) -> Self:
        """The book at *revision*, when the state is *entries* by *writes*."""
        delta = entries.at(self.entries.differing(entries.values))
        return self.then(revision, delta, writes)

    def then(self, revision: int, delta: Delta, writes: Iterable[Write]) -> Self:
        """The book at *revision*, when the state is as *delta* changes it, by *writes*."""
        new = (write for write in writes if write.revision > self.revision)
        told = (*self.writes, *new)[-provenance.MOST :]
        if not (keys := delta.keys):
            return replace(self, revision=revision, writes=told)
        history = self.history.then(revision, keys)
        return type(self)(revision, self.entries.after(delta), history, told)

    def update(self, kind: Kind, since: int | None) -> Update:
        """What leads from the state of *since* to this one: the whole if *since* is None or too long ago."""
        keys = None if since is None else self.history.keys_since(since)
        if since is None or keys is None:
            whole = self.entries.at(self.entries.values)
            return Update(kind, None, self.revision, whole, self.writes)
        writes = tuple(write for write in self.writes if write.revision > since)
        return Update(kind, since, self.revision, self.entries.at(keys), writes)


async def load(at: asyncpg.Connection, cluster: UUID, known: Book | None) -> Book:
    """The cluster's newest book; *known* itself if that is it. Raises NotFound."""
    if known is None:
        return await _first(at, cluster)
    revision, objects = await feed.changes_since(at, cluster, known.revision)
    if revision == known.revision:
        return known
    touched = await snapshot.load_touched(at, cluster, objects)
    if touched is None:
        raise NotFound("the cluster was deleted")
    writes = await provenance.of_cluster(at, cluster, known.revision, revision)
    return known.then(revision, recompile(known.entries.values, touched), writes)


async def _first(at: asyncpg.Connection, cluster: UUID) -> Book:
    revision = await feed.cluster_revision(at, cluster)
    row = await snapshot.load_cluster(at, cluster)
    if row is None:
        raise NotFound("the cluster was deleted, or the replica has not heard of it yet")
    entries = Entries.of(compile_cluster(row, ()))
    vips = await served.vips_of_cluster(at, cluster)
    for start in range(0, len(vips), BATCH):
        rows = await served.load_vips(at, cluster, vips[start : start + BATCH])
        entries = entries.after(Delta(compile_vips(rows)))
    past = await _past(at, cluster, revision)
    writes = await provenance.of_cluster(at, cluster, await feed.pruned_upto(at), revision)
    return Book(revision, entries, past, writes)


async def _past(at: asyncpg.Connection, cluster: UUID, revision: int) -> History:
    """What the feed's rows still tell.

    They name a changed pool, not the VIPs that used it then. Those that use it now will do: one that left
    it has a change of its own. But which nodes and peers a cluster once had they do not tell, so the
    history begins after the last change of the cluster itself.
    """
    latest = await feed.latest_changes(at, cluster, LATEST_CHANGES)
    floor, rows = _known_rows(latest, await feed.pruned_upto(at))
    users = await snapshot.vips_of_pools(
        at, cluster, {row.object_id for row in rows if row.kind == "pool"}
    )
    return History.of(
        floor,
        [
            # What lies above the horizon will be told again under its own revision.
            Step(min(step, revision), frozenset(_keys(changes, users)))
            for step, changes in groupby(reversed(rows), attrgetter("revision"))
        ],
    )


def _known_rows(latest: Sequence[feed.Noted], pruned_upto: int) -> tuple[int, list[feed.Noted]]:
    """The floor, and the rows above it, newest first."""
    oldest = latest[-1].revision if len(latest) == LATEST_CHANGES else 0
    floor = max([oldest, pruned_upto, *(row.revision for row in latest if row.kind == "cluster")])
    return floor, [row for row in latest if row.revision > floor]


def _keys(changes: Iterable[feed.Noted], users: dict[UUID, set[UUID]]) -> Iterator[str]:
    for change in changes:
        vips = users.get(change.object_id, ()) if change.kind == "pool" else (change.object_id,)
        yield from map(vip_key, vips)
