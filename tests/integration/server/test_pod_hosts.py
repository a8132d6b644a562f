"""A backend host whose agent says which addresses its pods have."""

from ipaddress import ip_address

import pytest

from lbaas.client.api import ApiClient
from lbaas.client.problems import ApiProblem
from lbaas.wire.reading import Reader
from lbaas.wire.state import HostState

from .conftest import Json, Site, fetch, listener, unique


def host_of(site: Site, address: str, *prefixes: str) -> tuple[Json, ApiClient]:
    body = {"name": unique("kube"), "addresses": [address], "prefixes": list(prefixes)}
    host = site.admin.post("/v1/backend-hosts", body)
    return host, site.client("host", host_id=host["id"])


def claim(agent: ApiClient, *addresses: str) -> list[str]:
    answer = agent.request("PUT", "/v1/agent/addresses", {"addresses": list(addresses)})
    return list(answer["addresses"])


def test_pods_within_the_hosts_prefixes_are_the_hosts(site: Site) -> None:
    host, agent = host_of(site, "192.0.2.71", "10.71.0.0/24", "fd71::/64")
    assert claim(agent, "10.71.0.8", "fd71::8", "10.72.0.1") == [
        "192.0.2.71",
        "10.71.0.8",
        "fd71::8",
    ]
    assert claim(agent, "10.71.0.9") == ["192.0.2.71", "10.71.0.9"]
    before = site.admin.get(f"/v1/backend-hosts/{host['id']}")["updated_at"]
    assert claim(agent, "10.71.0.9") == ["192.0.2.71", "10.71.0.9"]
    assert site.admin.get(f"/v1/backend-hosts/{host['id']}")["updated_at"] == before


def test_a_host_without_pods_keeps_its_own_addresses(site: Site) -> None:
    _, agent = host_of(site, "192.0.2.76", "10.76.0.0/24")
    claim(agent, "10.76.0.1")
    assert claim(agent) == ["192.0.2.76"]


def test_what_another_host_has_is_not_taken_from_it(site: Site) -> None:
    _, one = host_of(site, "192.0.2.73", "10.73.0.0/24")
    _, other = host_of(site, "192.0.2.74", "10.73.0.0/24")
    claim(one, "10.73.0.1", "10.73.0.2")
    assert claim(other, "10.73.0.2", "10.73.0.3") == ["192.0.2.74", "10.73.0.3"]
    claim(one, "10.73.0.1")
    assert claim(other, "10.73.0.2", "10.73.0.3") == ["192.0.2.74", "10.73.0.2", "10.73.0.3"]


def test_each_pod_is_told_of_its_own_vips(site: Site) -> None:
    _, agent = host_of(site, "192.0.2.75", "10.0.20.0/24")
    claim(agent, "10.0.20.241", "10.0.20.242")
    vips = {
        pod: site.member().post(
            "/v1/vips",
            {
                "name": unique("v"),
                "address_pool_id": site.v4["id"],
                "listeners": [listener("http", 80, pod)],
            },
        )["address"]
        for pod in ("10.0.20.241", "10.0.20.242")
    }
    fetched = fetch(agent)
    state = Reader(HostState).read(fetched.entries, fetched.revision)
    assert state.arrivals == {ip_address(vip): (ip_address(pod),) for pod, vip in vips.items()}


def test_only_a_host_may_say_so(site: Site) -> None:
    for bearer in (site.node(), site.member()):
        with pytest.raises(ApiProblem) as refused:
            claim(bearer, "10.0.20.1")
        assert refused.value.status == 403
