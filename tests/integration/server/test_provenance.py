"""From a write's revision to its request, all the way to who applies it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from lbaas.client.agent import AgentClient, Fetched
from lbaas.client.api import ApiClient
from lbaas.wire.state import Write

from .conftest import Json, LiveServer, Site, fetch, listener, unique

PATIENCE_S = 60


def told(agent: ApiClient, held: Fetched, enough: Callable[[list[Write]], bool]) -> list[Write]:
    """The writes that *agent*, which holds *held*, is told of, until they are *enough*."""
    until_s, writes = time.monotonic() + PATIENCE_S, list[Write]()
    while not enough(writes):
        assert time.monotonic() < until_s, writes
        held = fetch(agent, held)
        writes += held.writes
    return writes


def token_of(agent: ApiClient) -> str:
    return str(agent._http.headers["Authorization"].removeprefix("Bearer "))


def named(answer: httpx.Response) -> Write:
    """What agents must be told of the write that was answered so."""
    assert answer.is_success, answer.text
    revision = int(answer.headers["LBaaS-Revision"])
    return Write(request_id=answer.headers["X-Request-Id"], revision=revision)


def body_of(site: Site, *members: str) -> Json:
    body = {"name": unique("v"), "address_pool_id": site.v6["id"]}
    return body | {"listeners": [listener("l", 80, *members)]}


def made(client: ApiClient, body: Json) -> httpx.Response:
    return client._http.post("/v1/vips", json=body, headers={"X-Request-Id": unique("mine")})


def test_agents_are_told_each_write_once_whichever_way_it_was_made(site: Site) -> None:
    member, node = site.member(), site.node()
    held = fetch(node)
    first = made(member, body_of(site))  # in one statement
    second = made(site.admin, body_of(site) | {"tenant_id": site.tenant["id"]})  # in a session
    path = f"/v1/vips/{first.json()['id']}"
    third = member._http.patch(path, json={"allowed_sources": ["2001:db8:9::/48"]})
    fourth = site.admin._http.patch(
        f"/v1/tenants/{site.tenant['id']}", json={"admin_state": "suspended"}
    )
    expected = [named(answer) for answer in (first, second, third, fourth)]

    writes = told(node, held, lambda writes: len(writes) >= len(expected))

    assert writes == expected
    assert fetch(node).writes == ()  # they are news to nobody


def test_who_starts_with_what_is_on_disk_is_told_what_came_since(site: Site) -> None:
    member, node = site.member(), site.node()
    made(member, body_of(site))
    past = fetch(node)
    later = named(made(member, body_of(site)))
    with closing(AgentClient(site.server.url, token_of(node))) as client:
        # A replica answers with what it has, and hears of the write a moment later.
        until_s, fetched = time.monotonic() + PATIENCE_S, client.fetch(None, past=past)
        while fetched is None or fetched.revision < later.revision:
            assert time.monotonic() < until_s, fetched
            fetched = client.fetch(None, past=past)
    assert fetched.writes == (later,)


def test_a_poll_at_a_replica_that_never_served_the_cluster_is_told_too(
    site: Site, replica: LiveServer
) -> None:
    held = fetch(site.node())
    write = named(made(site.member(), body_of(site)))
    other = site.node(at=replica)
    assert told(other, held, bool) == [write]


@pytest.fixture
def host(site: Site) -> Iterator[ApiClient]:
    address = f"fd00:20::{unique('')[-4:]}"
    made = site.admin.post("/v1/backend-hosts", {"name": unique("h"), "addresses": [address]})
    yield site.client("host", host_id=made["id"])
    site.admin.delete(f"/v1/backend-hosts/{made['id']}")


def test_a_backend_host_is_told_of_writes_that_concern_it(site: Site, host: ApiClient) -> None:
    held = fetch(host)
    (address,) = json.loads(held.entries.values["host"])["endpoints"]
    made(site.member(), body_of(site, "fd00:20::ffff:1"))  # a member that is another's
    write = named(made(site.member(), body_of(site, address)))

    assert told(host, held, bool) == [write]
