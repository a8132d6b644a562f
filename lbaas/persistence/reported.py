"""What agents report, on their rows: of many agents in one statement."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from lbaas.persistence.hot import Statement
from lbaas.persistence.models import BackendHost, Node

Agents = type[Node] | type[BackendHost]

# A report that a crash of Postgres takes back is said again within half a minute: nobody need wait for the disk.
UNHURRIED = "SET LOCAL synchronous_commit = off"

# A revision that the feed has not reached is of another past, and confirms nothing.
# The rows are held in one order by all writers. A report is no change of the object that the API shows: its version
# and its time of change stay.
_STORE = """
    WITH said AS (
        SELECT * FROM json_to_recordset(:reports) AS said (
            of uuid, boot uuid, sequence bigint, revision bigint, digest text, changes bigint,
            repaired bigint, failures jsonb, checked bigint, facts jsonb,
            unsent jsonb
        )
    ), held AS (
        SELECT id, boot, sequence, applied_revision, failures FROM {agents}
        WHERE id IN (SELECT of FROM said) ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE {agents} AS agent SET
        boot = said.boot,
        sequence = said.sequence,
        applied_revision = said.revision,
        confirmed_revision =
            CASE WHEN said.failures = '[]' AND said.revision <= (SELECT max(revision) FROM change)
            THEN said.revision ELSE agent.confirmed_revision END,
        applied_digest = said.digest,
        changes = said.changes,
        repaired = said.repaired,
        failures = said.failures,
        checked = said.checked,
        facts = coalesce(said.facts, agent.facts),
        unsent = said.unsent,
        reported_at = now()
    FROM said JOIN held ON held.id = said.of
    WHERE agent.id = held.id AND (
        held.boot IS DISTINCT FROM said.boot
        OR held.sequence IS NULL
        OR held.sequence < said.sequence
    )
    RETURNING
        agent.id,
        {cluster},
        (held.applied_revision, held.failures) IS DISTINCT FROM (said.revision, said.failures)
"""
_STATEMENTS: Mapping[Agents, Statement] = {
    Node: Statement(_STORE.format(agents="node", cluster="agent.cluster_id")),
    BackendHost: Statement(_STORE.format(agents="backend_host", cluster="NULL::uuid")),
}


class Stored(NamedTuple):
    """An agent whose report was newer than the one before. *cluster* is a node's. *tells*: not just a sign of life."""

    agent: UUID
    cluster: UUID | None
    tells: bool


async def store(
    connection: asyncpg.Connection, agents: Agents, reports: Sequence[Mapping[str, Any]]
) -> list[Stored]:
    """The rows say what *reports* say, as far as these are newer; those of which that is true.

    A report is what the wire calls one, without what is found of listeners, and names the agent that it is *of*.
    """
    statement = _STATEMENTS[agents]
    values = statement.values({"reports": json.dumps(list(reports))})
    return [Stored(*row) for row in await connection.fetch(statement.sql, *values)]
