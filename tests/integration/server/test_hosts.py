"""A backend host is woken by what concerns it, by nothing else, and misses nothing whichever server it asks."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest

from lbaas.client.agent import AgentClient, Fetched
from lbaas.client.api import ApiClient
from lbaas.errors import BadState

from .conftest import Json, LiveServer, Site, eventually, fetch, listener, unique

ADDRESS, OTHER = "10.0.20.211", "10.0.20.212"


@dataclass
class Host:
    """A backend host's token, and what its agent holds."""

    token: str
    held: Fetched

    def poll(self, server: LiveServer, timeout_s: float) -> httpx.Response:
        return httpx.get(
            f"{server.url}/v1/agent/state",
            params={"since": self.held.revision, "timeout_s": timeout_s},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=timeout_s + 20,
        )

    def follow(self, server: LiveServer) -> None:
        """As an agent does: the whole where the digest differs."""
        with closing(AgentClient(server.url, self.token)) as client:
            try:
                fetched = client.fetch(self.held)
            except BadState:
                fetched = client.fetch(self.held, whole=True)
        if fetched is not None:
            assert fetched.revision >= self.held.revision
            self.held = fetched


@pytest.fixture
def host(site: Site) -> Iterator[Host]:
    body = {"name": unique("h"), "addresses": [ADDRESS]}
    made = site.admin.post("/v1/backend-hosts", body)
    try:
        bearer = {"name": "h", "role": "host", "host_id": made["id"]}
        token = site.admin.post("/v1/tokens", bearer)["token"]
        with ApiClient(site.server.url, token) as client:
            yield Host(token, fetch(client))
    finally:
        site.admin.delete(f"/v1/backend-hosts/{made['id']}")


def make_vip(site: Site, *members: str) -> Json:
    body = {"name": unique("v"), "tenant_id": site.tenant["id"], "address_pool_id": site.v4["id"]}
    return site.admin.post("/v1/vips", body | {"listeners": [listener("l", 80, *members)]})


def members_of(vip: Json) -> str:
    return f"/v1/pools/{vip['listeners'][0]['pool_id']}/members"


def settle(host: Host, server: LiveServer) -> None:
    """The agent holds what there is, and the server has confirmed it."""
    while host.poll(server, 0).status_code != httpx.codes.NOT_MODIFIED:
        host.follow(server)


def waiting(site: Site) -> bool:
    """A poll waits at the site's server."""
    metrics = site.admin._http.get("/metrics").text.splitlines()
    return "lbaas_polls_waiting 0.0" not in metrics


def test_a_host_sleeps_through_what_concerns_others_and_wakes_to_what_concerns_it(
    site: Site, host: Host
) -> None:
    vip = make_vip(site, OTHER)
    settle(host, site.server)
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(host.poll, site.server, 40)
        while not waiting(site):
            time.sleep(0.05)
        for weight in range(2, 12):
            member = site.admin.get(members_of(vip))["items"][0]
            site.admin.patch(f"{members_of(vip)}/{member['id']}", {"weight": weight})
        make_vip(site, OTHER)
        time.sleep(0.3)  # a host that were woken needs no longer
        assert not poll.done()
        site.admin.post(members_of(vip), {"address": ADDRESS})
        answer = poll.result()
    assert answer.json()["changed"].keys() >= {f"vip/{vip['address']}"}


def test_a_poll_after_what_concerned_others_is_told_how_far_the_state_is_confirmed(
    site: Site, host: Host
) -> None:
    settle(host, site.server)
    before = host.held
    make_vip(site, OTHER)
    # A poll that waits already is left alone, so we ask until the server has heard of it.
    eventually(lambda: host.poll(site.server, 0).status_code == httpx.codes.OK)
    host.follow(site.server)
    assert host.held.revision > before.revision
    assert host.held.digest == before.digest


def test_a_change_of_nodes_wakes_the_hosts_that_they_send_to(site: Site, host: Host) -> None:
    make_vip(site, ADDRESS)
    settle(host, site.server)
    node = {"cluster_id": site.cluster["id"], "name": "new", "addresses": ["10.0.10.99"]}
    site.admin.post("/v1/nodes", node)
    host.follow(site.server)
    assert "node/10.0.10.99" in host.held.entries.values


def test_a_host_that_changes_servers_all_the_time_ends_with_the_databases_state(
    site: Site, host: Host, replica: LiveServer
) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    vips = [make_vip(site, OTHER) for _ in range(4)]
    for _ in range(60):
        write(site, dice.choice(vips), dice)
        if dice.random() < 0.5:
            server = dice.choice([site.server, replica])
            if host.poll(server, 0).status_code != httpx.codes.NOT_MODIFIED:
                host.follow(server)
    for server in (site.server, replica):
        settle(host, server)
        with ApiClient(server.url, host.token) as client:
            assert host.held.entries == fetch(client).entries


def write(site: Site, vip: Json, dice: random.Random) -> None:
    """A member at our host's address comes or goes, a weight changes, or something else altogether."""
    members = site.admin.get(members_of(vip))["items"]
    ours = [member for member in members if member["address"] == ADDRESS]
    match dice.choice(["move", "move", "weight", "other"]):
        case "move" if ours:
            site.admin.delete(f"{members_of(vip)}/{ours[0]['id']}")
        case "move":
            site.admin.post(members_of(vip), {"address": ADDRESS})
        case "weight":
            path = f"{members_of(vip)}/{members[0]['id']}"
            site.admin.patch(path, {"weight": dice.randrange(1, 100)})
        case _:
            make_vip(site, OTHER)
