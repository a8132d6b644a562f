"""Reports are written for many at once, and each answer says that its own is written."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, text

from lbaas.domain.terms import Role
from lbaas.errors import Gone
from lbaas.persistence.database import Database
from lbaas.persistence.models import Node
from lbaas.persistence.notices import Sender
from lbaas.services.reports import ReportWriter
from lbaas.services.work import Caller
from lbaas.wire.report import Report

pytestmark = pytest.mark.anyio

NODES = 50


@pytest.fixture
async def nodes(database: Database) -> list[UUID]:
    query = text(
        "WITH c AS (INSERT INTO cluster (id, name, as_number, mark_first, mark_last) "
        "VALUES (gen_random_uuid(), 'c', 65001, 1, 9) RETURNING id) "
        "INSERT INTO node (id, cluster_id, name, addresses, admin_state) "
        "SELECT gen_random_uuid(), c.id, 'lb' || n, '{}', 'active' FROM c, generate_series(1, :n) n "
        "RETURNING id"
    )
    async with database.session() as session, session.begin():
        return list(await session.scalars(query, {"n": NODES}))


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[ReportWriter]:
    made = ReportWriter(database, Sender(database))
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def bearer(node: UUID | None) -> Caller:
    return Caller(bearer="token:t", name="t", role=Role.NODE, node_id=node)


def report(revision: int, boot: UUID, sequence: int = 1) -> Report:
    return Report(
        boot=boot, sequence=sequence, revision=revision, digest="d", changes=0, repaired=0
    )


async def applied(database: Database) -> dict[UUID, int | None]:
    async with database.session() as session:
        rows = await session.execute(select(Node.id, Node.applied_revision))
        return {node: revision for node, revision in rows}  # noqa: C416 - rows type as tuples only so


async def test_reports_that_come_together_are_written_together(
    database: Database, nodes: list[UUID], writer: ReportWriter
) -> None:
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(database.engine.sync_engine, "commit", count)
    await asyncio.gather(
        *(writer.store(bearer(node), report(n, uuid4())) for n, node in enumerate(nodes))
    )

    assert await applied(database) == {node: n for n, node in enumerate(nodes)}
    assert commits <= 2


async def test_of_one_agents_reports_in_a_batch_the_newest_counts(
    database: Database, nodes: list[UUID], writer: ReportWriter
) -> None:
    boot = uuid4()
    await asyncio.gather(
        *(writer.store(bearer(nodes[0]), report(n, boot, n)) for n in (3, 9, 7, 1))
    )

    assert (await applied(database))[nodes[0]] == 9


async def test_a_batch_that_can_not_be_written_is_refused_to_all_and_the_next_is_written(
    database: Database, nodes: list[UUID], writer: ReportWriter
) -> None:
    async with database.session() as session, session.begin():
        await session.execute(text("ALTER TABLE node RENAME COLUMN boot TO boots"))
    answers = await asyncio.gather(
        *(writer.store(bearer(node), report(1, uuid4())) for node in nodes[:3]),
        return_exceptions=True,
    )
    assert all(isinstance(answer, Exception) for answer in answers)

    async with database.session() as session, session.begin():
        await session.execute(text("ALTER TABLE node RENAME COLUMN boots TO boot"))
    await writer.store(bearer(nodes[0]), report(2, uuid4()))
    assert (await applied(database))[nodes[0]] == 2


async def test_the_report_of_a_deleted_node_is_refused(
    database: Database, writer: ReportWriter
) -> None:
    with pytest.raises(Gone):
        await writer.store(bearer(None), report(1, uuid4()))
