"""A dry run of every write in the description: what it says is true, and nothing is different afterwards."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from lbaas.client.api import ApiClient
from lbaas.persistence.models import Base

from .conftest import LiveServer, Site, make_site
from .described import Operation, ask, bearer, objects, operations, request

pytestmark = pytest.mark.anyio

# What agents say is said again and again, and a token that is good for once is not for trying.
WITHOUT_A_DRY_RUN = {"create_report", "create_usage", "create_answer", "create_first_certificate"}
# Rows that a server changes of its own accord (lbaas.services.upkeep).
BY_THEMSELVES = {"token", "resting_number", "free_extent", "portal_session", "question"}
ROWS = "SELECT md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {table} t"
TABLES = sorted(Base.metadata.tables.keys() - BY_THEMSELVES)

WRITES = [each for each in operations() if each.method != "get"]
DRY = [
    pytest.param(each, id=each.id)
    for each in WRITES
    if "dry_run" in {said["name"] for said in each.parameters("query")}
]


@pytest.fixture(scope="module")
def place(server: LiveServer, admin: ApiClient) -> Iterator[Site]:
    """One for all: dry runs leave it as it is."""
    with make_site(server, admin) as made:
        yield made


@pytest.fixture(scope="module")
def ids(place: Site) -> dict[str, str]:
    return objects(place)


async def rows(server: LiveServer) -> dict[str, str | None]:
    """Of each table all rows, as one hash; and how many tokens there are."""
    connection = await asyncpg.connect(server.dsn)
    try:
        return {table: await connection.fetchval(ROWS.format(table=table)) for table in TABLES} | {
            "token": await connection.fetchval("SELECT count(*)::text FROM token")
        }
    finally:
        await connection.close()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """What the answer refuses, without what is each request's own."""
    assert answer.is_client_error, answer.text
    return {name: said for name, said in answer.json().items() if name != "request_id"}


def test_every_write_that_is_an_operators_or_a_tenants_has_a_dry_run() -> None:
    having = {param.id for param in DRY}
    assert {each.id for each in WRITES} - having == WITHOUT_A_DRY_RUN


@pytest.mark.parametrize("operation", DRY)
async def test_a_dry_run_answers_as_the_write_would_and_changes_nothing(
    place: Site, ids: dict[str, str], operation: Operation
) -> None:
    client = bearer(place, operation, ids)
    url, body = request(operation, ids)
    before = await rows(place.server)
    answer = ask(client, operation, url, body, dry_run=True)

    assert await rows(place.server) == before
    if answer.is_success:
        assert answer.status_code == 200
        assert answer.headers["LBaaS-Dry-Run"] == "true"
    else:
        assert problem(answer) == problem(ask(client, operation, url, body))
        assert await rows(place.server) == before


@pytest.mark.parametrize("operation", DRY)
def test_a_dry_run_is_refused_as_the_write_is(
    place: Site, ids: dict[str, str], operation: Operation
) -> None:
    client = bearer(place, operation, ids)
    for url, body, other in mistakes(operation, ids):
        dry = ask(client, operation, url, body, dry_run=True, **other)
        assert problem(dry) == problem(ask(client, operation, url, body, **other))


def mistakes(
    operation: Operation, ids: dict[str, str]
) -> Iterator[tuple[str, Any, dict[str, str]]]:
    """Requests that can't be done: of an object that there is not, with a field or a version that there is not."""
    url, body = request(operation, ids)
    if operation.parameters("path"):
        nobody = dict.fromkeys(ids, str(uuid4()))
        yield *request(operation, nobody), {}
    if body is not None:
        yield url, body | {"colour": "red"}, {}
    if "if-match" in {each["name"] for each in operation.parameters("header")}:
        yield url, body, {"if_match": '"4711"'}
