"""What Prometheus reads."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lbaas.client.api import ApiClient, ApiProblem

from .conftest import Site, fetch, make_site, start_server
from .test_agents import make_vip, report, state

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(admin: ApiClient) -> Figures:
    answer = admin._http.get("/metrics")
    assert answer.is_success, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def alone(short_dir: Callable[[], Path]) -> Iterator[Site]:
    """A site on a server of its own: only the nodes that lag furthest are shown, and others' would be those."""
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


def test_an_agent_that_reports_is_not_stale(site: Site) -> None:
    vip = make_vip(site, "10.0.20.1")
    path = f"/v1/vips/{vip['id']}/status"
    before = scrape(site.admin)["lbaas_agents_stale", (("kind", "node"),)]
    assert [node["stale"] for node in site.admin.get(path)["nodes"]] == [True, True]

    site.node(1).post("/v1/agent/report", report(revision=1))

    assert [node["stale"] for node in site.admin.get(path)["nodes"]] == [True, False]
    assert scrape(site.admin)["lbaas_agents_stale", (("kind", "node"),)] == before - 1


def test_waiting_polls_and_notices_are_counted(site: Site) -> None:
    node = site.node()
    since = fetch(node).revision
    before = scrape(site.admin)
    got: list[httpx.Response] = []
    poll = threading.Thread(target=lambda: got.append(state(node, since=since, timeout_s=20)))
    poll.start()
    time.sleep(0.3)

    assert scrape(site.admin)["lbaas_polls_waiting", ()] == before["lbaas_polls_waiting", ()] + 1
    make_vip(site)
    poll.join(20)
    after = scrape(site.admin)
    assert after["lbaas_polls_waiting", ()] == before["lbaas_polls_waiting", ()]
    assert after["lbaas_notices_listening", ()] == 1
    for direction in ("sent", "heard"):
        key = ("lbaas_notices_total", (("direction", direction),))
        assert after[key] > before[key]


def test_an_open_writer_shows_as_the_horizons_age(site: Site) -> None:
    assert 0 <= scrape(site.admin)["lbaas_feed_horizon_age_seconds", ()] < 10


def test_figures_are_for_operators(site: Site) -> None:
    with pytest.raises(ApiProblem) as caught:
        site.member().get("/metrics")
    assert caught.value.status == 403
