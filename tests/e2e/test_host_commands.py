"""The host agent's commands that end, in a pod with an address of its own: as an init container, and by hand."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbaas.lab.messages import Completed
from lbaas.lab.site import Site
from lbaas.lab.topology import API_ADDRESS, API_PORT, ROUTER, SEGMENTS, Role
from tests.e2e.balanced import CLIENT, PORT, eventually
from tests.e2e.pods import RUN_NETNS, build_machine, issue_token, serve, sh

POD, NUMBER = "solo", 199
ADDRESS = str(SEGMENTS[Role.BACKEND].prefix4[NUMBER])

# What a bare pod has nothing of.
WIPE = "ip link delete lbtun4; nft delete table inet lbaas_host"


@dataclass(frozen=True)
class Pod:
    """It is a backend host of its own, and no agent runs on in it."""

    site: Site
    token: Path

    def agent(self, *arguments: str) -> list[str]:
        """The host agent's command line, inside the pod."""
        return [
            *("nsenter", f"--net={RUN_NETNS / POD}", "env"),
            f"LBAAS_SERVER_URL=http://{API_ADDRESS.ip}:{API_PORT}",
            f"LBAAS_TOKEN_FILE={self.token}",
            f"LBAAS_STATE_DIR={self.token}-state",
            *(sys.executable, "-m", "lbaas", "host-agent", *arguments),
        ]

    def run(self, *arguments: str) -> Completed:
        return self.site.lab.run(ROUTER, self.agent(*arguments), timeout_s=120)

    def sh(self, script: str) -> None:
        sh(
            self.site,
            ROUTER,
            f"nsenter --net={RUN_NETNS / POD} sh -eu <<'SCRIPT'\n{script}\nSCRIPT",
        )


@pytest.fixture
def pod(site: Site) -> Iterator[Pod]:
    with ExitStack() as undo:
        undo.callback(sh, site, ROUTER, f"ip netns delete {POD}")
        build_machine(site, POD, NUMBER)
        undo.callback(serve(site, [POD]).kill)
        host = site.admin.post("/v1/backend-hosts", {"name": POD, "addresses": [ADDRESS]})
        undo.callback(site.admin.delete, f"/v1/backend-hosts/{host['id']}")
        yield Pod(site, issue_token(site, POD, str(host["id"])))


def order_vip(site: Site, undo: ExitStack) -> str:
    """The address of one whose only member is the pod."""
    listener = {
        "name": "http",
        "protocol": "tcp",
        "ports": [{"first": PORT}],
        "pool": {"members": [{"address": ADDRESS}]},
    }
    body = {"name": POD, "address_pool_id": str(site.inventory.pools[4]), "listeners": [listener]}
    vip = site.tenant.post("/v1/vips", body)
    undo.callback(site.tenant.delete, f"/v1/vips/{vip['id']}", cascade="true")
    return str(vip["address"])


def test_a_pod_is_prepared_by_an_init_container_and_by_what_is_printed(pod: Pod) -> None:
    lab = pod.site.lab

    def answers() -> bool:
        return lab.fetch(CLIENT, vip, PORT, timeout_s=5).backend == POD

    with ExitStack() as undo:
        waiting = pod.agent("--once", "--wait-s", "120")
        prepared = lab.spawn(ROUTER, waiting, env={}, name="init-container")
        vip = order_vip(pod.site, undo)
        assert prepared.wait(120) == 0, prepared.log_tail()
        eventually(answers)
        pod.sh(WIPE)
        printed = pod.run("print")
        assert printed.status == 0, printed.stderr
        pod.sh(printed.stdout)
        checked = pod.run("check")
        assert checked.status == 0, checked.stdout
        eventually(answers)
