"""The feed's old rows go; nobody who reads it is misled."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from lbaas.persistence import feed, pruning
from lbaas.persistence.database import Database
from lbaas.persistence.models import Change
from lbaas.persistence.pruning import prune
from lbaas.services import books

from .test_feed import make_cluster

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


async def note(database: Database, kind: str, of: UUID, cluster: UUID, *, old: bool) -> int:
    async with database.session() as session, session.begin():
        await feed.note_change(session, kind, of, [cluster])
        revision = await feed.current_transaction(session)
        if old:
            aged = text(
                "UPDATE change SET made_at = now() - interval '2 hours' WHERE revision = :r"
            )
            await session.execute(aged, {"r": revision})
    assert revision is not None
    return revision


async def rows(database: Database) -> set[tuple[str, int]]:
    async with database.session() as session:
        found = await session.execute(select(Change.kind, Change.revision))
        return {(kind, revision) for kind, revision in found}


async def test_old_rows_go_unless_they_are_the_newest_of_their_object_or_cluster(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    cluster = await make_cluster(database)
    [made] = await rows(database)
    gone, existing = uuid4(), uuid4()
    for _ in range(3):
        await note(database, "vip", gone, cluster, old=True)
        last = await note(database, "other", existing, cluster, old=True)
    young = await note(database, "vip", gone, cluster, old=False)

    assert await prune(database, HOUR) == 5
    assert await prune(database, HOUR) == 0
    assert await rows(database) == {made, ("other", last), ("vip", young)}


async def test_a_clusters_revision_never_falls(database: Database) -> None:
    cluster = await make_cluster(database)
    newest = await note(database, "vip", uuid4(), cluster, old=True)
    await note(database, "vip", uuid4(), uuid4(), old=True)

    await prune(database, timedelta())

    async with database.snapshot() as at:
        assert await feed.cluster_revision(at, cluster) == newest


async def test_an_agent_from_before_the_pruning_gets_the_whole(database: Database) -> None:
    cluster, vip = await make_cluster(database), uuid4()
    first = await note(database, "vip", vip, cluster, old=True)
    second = await note(database, "vip", vip, cluster, old=True)
    third = await note(database, "vip", vip, cluster, old=False)
    assert await prune(database, HOUR) == 2

    async with database.snapshot() as at:
        book = await books.load(at, cluster, None)

    assert book.update("cluster", first).base is None
    assert book.update("cluster", second).base == second
    assert book.update("cluster", third).base == third
