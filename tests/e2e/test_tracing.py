"""One trace leads from a request to what it did on a node and on a backend host."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import FABRIC_ADDRESS
from tests import collector
from tests.collector import Collected, collecting, sending_to
from tests.e2e.balanced import eventually
from tests.integration.server.conftest import dsn, start_server

INSIDE_PORT = 4318
NODE, HOST = "lb1", "backend1"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def restart(site: Site, **environment: str) -> None:
    for name in (NODE, HOST):
        site.agents[name].kill(signal.SIGTERM)
    for name in (NODE, HOST):
        site.agents[name].wait(60)
        site.start_agent(name, **environment)


@pytest.fixture
def inside(site: Site) -> Iterator[Path]:
    """A node's and a host's spans go to this file."""
    file = site.lab.share / "spans"
    argv = [sys.executable, "-m", collector.__name__, str(INSIDE_PORT), str(file)]
    process = site.lab.spawn("fabric", argv, env={"PYTHONPATH": str(Path.cwd())})
    restart(site, **sending_to(str(FABRIC_ADDRESS.ip), INSIDE_PORT))
    yield file
    restart(site)
    process.kill()


def test_one_trace_leads_from_the_request_to_the_steps_on_node_and_host(
    site: Site, inside: Path, tmp_path: Path
) -> None:
    listener = {"name": "l", "protocol": "tcp", "ports": [{"first": 80}]}
    body = {
        "name": "traced",
        "address_pool_id": str(site.inventory.pools[4]),
        "listeners": [listener | {"pool": {"members": [{"address": "10.0.20.11"}]}}],
    }
    headers = {"Authorization": f"Bearer {site.inventory.tenant_token}", **PARENT}
    with collecting(tmp_path / "spans") as outside:
        database = {"LBAAS_DATABASE_URL": dsn(site.server.admin_token_file.parent)}
        server = start_server(tmp_path, None, **database, **outside.environment)
        answer = httpx.post(f"{server.url}/v1/vips", json=body, headers=headers, timeout=60)
        assert server.stop() == 0
    assert answer.is_success, answer.text

    spans = Collected(TRACE, (tmp_path / "spans", inside))
    eventually(lambda: spans.named("lbaas-node-agent", "apply"))
    eventually(lambda: spans.named("lbaas-host-agent", "apply"))
    (transaction,) = spans.named("lbaas-server", "transaction")
    (node,) = spans.named("lbaas-node-agent", "apply")
    (host,) = spans.named("lbaas-host-agent", "apply")
    assert node["parent"] == host["parent"] == transaction["span"]
    for subsystem in ("link", "ipvs", "marks", "bird"):
        parents = {step["parent"] for step in spans.named("lbaas-node-agent", subsystem)}
        assert parents == {node["span"]}
    site.tenant.delete(f"/v1/vips/{answer.json()['id']}", cascade="true")
