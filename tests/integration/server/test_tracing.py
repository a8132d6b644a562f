"""A server's spans: a request, its transaction, and what follows on the way to the agents."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lbaas.client.api import ApiClient
from tests.collector import Collected, collecting

from .conftest import LiveServer, Site, fetch, listener, start_server, unique

TRACES = ("0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319d")
CLIENT_SPAN = "00f067aa0ba902b7"


def post(client: ApiClient, site: Site, trace: str) -> int:
    """The revision of a VIP that was made in *trace*."""
    body = {"name": unique("v"), "address_pool_id": site.v6["id"], "tenant_id": site.tenant["id"]}
    answer = client._http.post(
        "/v1/vips",
        json=body | {"listeners": [listener()]},
        headers={"traceparent": f"00-{trace}-{CLIENT_SPAN}-01"},
    )
    assert answer.is_success, answer.text
    return int(answer.headers["LBaaS-Revision"])


def test_what_follows_from_a_write_is_in_its_clients_trace_whichever_way_it_was_made(
    server: LiveServer, site: Site, short_dir: Callable[[], Path], tmp_path: Path
) -> None:
    with collecting(tmp_path / "spans") as collector:
        environment = {"LBAAS_DATABASE_URL": server.dsn, **collector.environment}
        traced = start_server(short_dir(), None, **environment)
        try:
            node = site.node(at=traced)
            held = fetch(node)
            member = site.client("member", traced, tenant_id=site.tenant["id"])
            operator = site.client("admin", traced)
            revisions = [
                post(client, site, trace)
                for client, trace in zip((member, operator), TRACES, strict=True)
            ]
            while held.revision < revisions[-1]:
                held = fetch(node, held)
        finally:
            assert traced.stop() == 0

    for trace, revision in zip(TRACES, revisions, strict=True):
        collected = Collected(trace, (tmp_path / "spans",))
        (request,) = collected.named("lbaas-server", "POST /v1/vips")
        assert (request["parent"], request["http.response.status_code"]) == (CLIENT_SPAN, 201)
        (transaction,) = collected.named("lbaas-server", "transaction")
        assert transaction["parent"] == request["span"]
        assert transaction["lbaas.revision"] == revision
        for name in ("compile", "deliver"):
            (span,) = collected.named("lbaas-server", name)
            assert span["parent"] == transaction["span"]
            assert span["lbaas.revision"] >= revision
        assert f"trace_id={trace}" in (traced.data_dir / "server.log").read_text()


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_server_without_a_collector_passes_no_trace_on(site: Site, flags: str) -> None:
    node, member = site.node(), site.member()
    held = fetch(node)
    body = {"name": unique("v"), "address_pool_id": site.v6["id"], "listeners": [listener()]}
    headers = {"traceparent": f"00-{TRACES[0]}-{CLIENT_SPAN}-{flags}"}
    assert member._http.post("/v1/vips", json=body, headers=headers).is_success
    (write,) = fetch(node, held).writes
    assert write.traceparent is None
