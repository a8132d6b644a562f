"""What Prometheus reads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lbaas.client.api import ApiClient, ApiProblem

from .conftest import Site, eventually, fetch, listener, make_site, start_server, unique
from .test_agents import make_vip, report, state

pytestmark = pytest.mark.anyio

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(admin: ApiClient) -> Figures:
    answer = admin._http.get("/metrics")
    assert answer.is_success, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def alone(short_dir: Callable[[], Path]) -> Iterator[Site]:
    """A site on a server of its own, where nobody else's agents lag, wait, or fall silent meanwhile."""
    server = start_server(short_dir())
    with ApiClient(server.url, server.admin_token) as admin, make_site(server, admin) as made:
        yield made
    assert server.stop() == 0


def test_a_node_lags_until_it_has_applied_what_its_cluster_changed(alone: Site) -> None:
    labels = (("cluster", alone.cluster["name"]), ("node", "lb0"))
    key = ("lbaas_node_unapplied_seconds", labels)
    make_vip(alone)
    assert 0 <= scrape(alone.admin)[key] < 60

    node = alone.node()
    node.post("/v1/agent/report", report(revision=fetch(node).revision))

    assert key not in scrape(alone.admin)


async def test_an_agent_is_stale_until_it_reports_and_again_when_it_falls_silent(
    alone: Site,
) -> None:
    vip = make_vip(alone)
    path, stale = f"/v1/vips/{vip['id']}/status", ("lbaas_agents_stale", (("kind", "node"),))

    def shown() -> tuple[list[bool], float]:
        nodes = alone.admin.get(path)["nodes"]
        return [node["stale"] for node in nodes], scrape(alone.admin)[stale]

    alone.node(0).post("/v1/agent/report", report(revision=1))
    assert shown() == ([False, True], 1)
    alone.node(1).post("/v1/agent/report", report(revision=1))
    assert shown() == ([False, False], 0)
    connection = await asyncpg.connect(alone.server.dsn)
    await connection.execute("UPDATE node SET reported_at = now() - interval '1 hour'")
    await connection.close()
    assert shown() == ([True, True], 2)


def test_an_agent_that_obeys_nothing_until_an_operators_word_is_counted(alone: Site) -> None:
    key = ("lbaas_agents_held_back", (("kind", "node"),))
    assert scrape(alone.admin)[key] == 0
    held = {"subsystem": "epoch", "operation": "hold", "key": "*", "cause": "another past"}
    alone.node().post("/v1/agent/report", report(revision=1) | {"failures": [held]})
    assert scrape(alone.admin)[key] == 1


def test_waiting_polls_and_notices_are_counted(alone: Site) -> None:
    node = alone.node()
    since = fetch(node).revision
    got: list[httpx.Response] = []
    poll = threading.Thread(target=lambda: got.append(state(node, since=since, timeout_s=50)))
    poll.start()
    eventually(lambda: scrape(alone.admin)["lbaas_polls_waiting", ()] == 1)
    before = scrape(alone.admin)
    make_vip(alone)
    poll.join(60)

    after = scrape(alone.admin)
    assert after["lbaas_polls_waiting", ()] == 0
    assert after["lbaas_notices_listening", ()] == 1
    for direction in ("sent", "heard"):
        key = ("lbaas_notices_total", (("direction", direction),))
        assert after[key] > before[key]


async def test_an_open_writer_shows_as_the_horizons_age(alone: Site) -> None:
    connection = await asyncpg.connect(alone.server.dsn)
    async with connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        age = scrape(alone.admin)["lbaas_feed_horizon_age_seconds", ()]
        eventually(lambda: scrape(alone.admin)["lbaas_feed_horizon_age_seconds", ()] > age)
    await connection.close()
    assert age > 0


def test_figures_are_for_operators(site: Site) -> None:
    with pytest.raises(ApiProblem) as caught:
        site.member().get("/metrics")
    assert caught.value.status == 403


def test_requests_are_counted_by_route_and_never_by_path(alone: Site) -> None:
    vip = make_vip(alone)
    route = ("route", "/v1/vips/{vip_id}")
    key = ("lbaas_http_requests_total", (("method", "GET"), route, ("status", "200")))
    alone.admin.get(f"/v1/vips/{vip['id']}")
    with suppress(ApiProblem):
        alone.admin.get(f"/v1/nothing/{vip['id']}")
    found = scrape(alone.admin)
    assert found[key] == 1
    assert found["lbaas_http_request_seconds_count", (route,)] >= 1
    assert not any(vip["id"] in value for _, labels in found for _, value in labels)
    assert (
        "lbaas_http_requests_total",
        (("method", "GET"), ("route", "none"), ("status", "404")),
    ) in found


def test_a_vip_that_is_made_before_the_routes_is_counted_as_its_routes(alone: Site) -> None:
    body = {"name": unique("v"), "address_pool_id": alone.v6["id"], "listeners": [listener()]}
    labels = (("method", "POST"), ("route", "/v1/vips"), ("status", "201"))
    key = ("lbaas_http_requests_total", labels)
    before = scrape(alone.admin).get(key, 0)
    alone.member().post("/v1/vips", body)
    assert scrape(alone.admin)[key] == before + 1


def test_a_poll_is_counted_once_whichever_way_it_was_answered(alone: Site) -> None:
    labels = (("method", "GET"), ("route", "/v1/agent/state"), ("status", "200"))
    key, node = ("lbaas_http_requests_total", labels), alone.node()
    before = scrape(alone.admin).get(key, 0)
    for query in ("since=0&timeout_s=0", "since=0"):
        node._http.get(f"/v1/agent/state?{query}").raise_for_status()
    assert scrape(alone.admin)[key] == before + 2


def test_usage_on_agents_disks_shows_with_its_age_until_it_is_sent(alone: Site) -> None:
    node, key = alone.node(), ("lbaas_usage_unsent_age_seconds", (("kind", "node"),))
    minutes = int(time.time()) - 600
    for sequence, unsent in enumerate(({"periods": 9, "since_s": minutes}, {}, None)):
        said = {**report(revision=1), "sequence": sequence + 1, "unsent": unsent}
        node._http.post("/v1/agent/report", json=said).raise_for_status()
        shown = alone.admin.get(f"/v1/nodes/{alone.nodes[0]['id']}")["unsent"]
        age_s = scrape(alone.admin)[key]
        if unsent:
            assert shown == unsent
            assert age_s >= 600
        else:
            assert shown == (unsent if unsent is None else {"periods": 0, "since_s": None})
            assert age_s == 0


def test_the_fleet_is_shown_as_it_last_reported(alone: Site) -> None:
    cluster = ("cluster", alone.cluster["name"])
    failed = {"subsystem": "ipvs", "operation": "apply", "key": "0x1", "cause": "no"}
    said = report(revision=1, repaired=3, failures=[failed, failed])
    silent = {"peer": "192.0.2.1", "missing": 2, "cause": "no BGP session is established"}
    facts = {"foreign": ["nftables: table ip other sets packet marks"], "unheard": [silent]}
    alone.node().post("/v1/agent/report", {**said, "facts": facts})
    found = scrape(alone.admin)
    lb0 = (cluster, ("node", "lb0"))
    assert found["lbaas_nodes", (("admin_state", "active"), cluster)] == 2
    assert found["lbaas_node_failures", lb0] == 2
    assert found["lbaas_node_repaired", lb0] == 3
    assert found["lbaas_node_foreign", lb0] == 1
    assert found["lbaas_node_unheard_peers", lb0] == 1
    assert found["lbaas_agents_failing", (("kind", "node"),)] == 1
    assert found["lbaas_nodes_holding_removals", (cluster,)] == 0
    assert found["lbaas_postgres_connections", (("state", "idle"),)] > 0


def test_an_address_pool_fills(alone: Site) -> None:
    key = ("lbaas_address_pool_free_ratio", (("pool", alone.v4["name"]),))
    before = scrape(alone.admin)[key]
    make_vip(alone)
    assert scrape(alone.admin)[key] == before - 1 / 256
