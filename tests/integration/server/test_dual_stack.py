"""A listener that serves a v4 and a v6 VIP: one mark, each VIP from the members of its own family."""

import pytest

from lbaas.client.api import ApiClient

from .conftest import Json, LiveServer, Site, cluster_state, fetch, make_site, unique
from .test_resources import refusal, vip_body


@pytest.fixture
def member(site: Site) -> ApiClient:
    return site.member()


@pytest.fixture
def pair(site: Site, member: ApiClient) -> tuple[Json, Json]:
    """A VIP of each family."""
    four = member.post("/v1/vips", vip_body(site))
    return four, member.post("/v1/vips", vip_body(site, family=6))


def body(pair: tuple[Json, Json], pool: str, **other: object) -> Json:
    return {
        "name": "web",
        "protocol": "tcp",
        "ports": [{"first": 80}],
        "vip_id": pair[0]["id"],
        "dual_vip_id": pair[1]["id"],
        "pool_id": pool,
        **other,
    }


@pytest.fixture
def pool(member: ApiClient) -> str:
    members = [{"address": "10.0.20.1"}, {"address": "fd00:20::1"}]
    pool = {"name": unique("p"), "encapsulation": "gue", "members": members}
    return str(member.post("/v1/pools", pool)["id"])


def test_one_mark_serves_both_and_each_has_the_members_of_its_family(
    site: Site, member: ApiClient, pair: tuple[Json, Json], pool: str
) -> None:
    made = member.post("/v1/listeners", body(pair, pool))

    assert (made["vip_id"], made["dual_vip_id"]) == (pair[0]["id"], pair[1]["id"])
    for vip in pair:
        shown = member.get(f"/v1/vips/{vip['id']}")
        assert [one["id"] for one in shown["listeners"]] == [made["id"]]
        [listed] = member.get("/v1/vips", name=vip["name"])["items"]
        assert [one["id"] for one in listed["listeners"]] == [made["id"]]
    state = cluster_state(fetch(site.node()))
    four, six = state.services
    assert (four.family, six.family) == (4, 6)
    assert four.mark == six.mark
    assert [str(backend.address) for backend in four.backends] == ["10.0.20.1"]
    assert [str(backend.address) for backend in six.backends] == ["fd00:20::1"]
    assert {str(flow.vip) for flow in state.flows} == {vip["address"] for vip in pair}


def test_a_change_of_the_listener_or_of_its_pool_reaches_both_vips(
    site: Site, member: ApiClient, pair: tuple[Json, Json], pool: str
) -> None:
    made = member.post("/v1/listeners", body(pair, pool))
    agent = site.node()
    held = fetch(agent)

    member.patch(f"/v1/listeners/{made['id']}", {"ports": [{"first": 443}]})
    held = fetch(agent, held)
    assert {flow.ports.first for flow in cluster_state(held).flows} == {443}
    member.patch(f"/v1/pools/{pool}", {"quorum": 2})
    held = fetch(agent, held)
    assert [service.quorum for service in cluster_state(held).services] == [2, 2]
    revisions = {member.get(f"/v1/vips/{vip['id']}/status")["revision"] for vip in pair}
    assert len(revisions) == 1

    member.patch(f"/v1/pools/{pool}", {"encapsulation": "ipip"})
    member.patch(f"/v1/listeners/{made['id']}", {"dual_vip_id": None})
    held = fetch(agent, held)
    assert [service.family for service in cluster_state(held).services] == [4]


def test_the_second_vip_may_come_later_and_its_members_with_it(
    site: Site, member: ApiClient, pair: tuple[Json, Json], pool: str
) -> None:
    alone = body(pair, pool, dual_vip_id=None)
    refused = refusal(member, "POST", "/v1/listeners", alone)
    assert "fd00:20::1" in refused["detail"]

    empty = member.post("/v1/pools", {"name": unique("p"), "forwarding": "direct"})["id"]
    made = member.post("/v1/listeners", {**alone, "pool_id": empty})
    six = {"address": "fd00:20::2"}
    assert refusal(member, "POST", f"/v1/pools/{empty}/members", six)["status"] == 422
    member.patch(f"/v1/listeners/{made['id']}", {"dual_vip_id": pair[1]["id"]})
    member.post(f"/v1/pools/{empty}/members", six)
    back = refusal(member, "PATCH", f"/v1/listeners/{made['id']}", {"dual_vip_id": None})
    assert "fd00:20::2" in back["detail"]


@pytest.mark.parametrize("place", [0, 1])
def test_ports_and_name_must_be_free_on_both_vips(
    member: ApiClient, pair: tuple[Json, Json], pool: str, place: int
) -> None:
    alone = body(pair, pool, vip_id=pair[place]["id"], dual_vip_id=None, ports=[{"first": 443}])
    alone["pool_id"] = member.post("/v1/pools", {"name": unique("p")})["id"]
    other = member.post("/v1/listeners", alone)

    name = refusal(member, "POST", "/v1/listeners", body(pair, pool))
    assert name["type"] == "/errors/name-taken"
    ports = refusal(
        member,
        "POST",
        "/v1/listeners",
        body(pair, pool, name="x", ports=[{"first": 440, "last": 450}]),
    )
    assert ports["type"] == "/errors/ports-overlap"
    assert ports["used_by"][0]["id"] == other["id"]
    made = member.post("/v1/listeners", body(pair, pool, name="x"))
    late = refusal(
        member, "POST", "/v1/listeners", {**alone, "name": "y", "ports": [{"first": 80}]}
    )
    assert late["used_by"][0]["id"] == made["id"]


@pytest.mark.parametrize("place", [0, 1])
def test_neither_vip_goes_without_the_listener(
    site: Site, member: ApiClient, pair: tuple[Json, Json], pool: str, place: int
) -> None:
    made = member.post("/v1/listeners", body(pair, pool))
    path = f"/v1/vips/{pair[place]['id']}"
    problem = refusal(member, "DELETE", path)
    assert problem["type"] == "/errors/in-use"
    assert [user["id"] for user in problem["used_by"]] == [made["id"]]

    other = f"/v1/vips/{pair[1 - place]['id']}"
    agent = site.node()
    held = fetch(agent)
    member.delete(path, cascade="true")
    assert member.get(other)["listeners"] == []
    assert cluster_state(fetch(agent, held)).services == ()


def test_two_vips_of_one_family_or_of_two_clusters_have_no_listener_in_common(
    server: LiveServer,
    admin: ApiClient,
    site: Site,
    member: ApiClient,
    pair: tuple[Json, Json],
    pool: str,
) -> None:
    alike = member.post("/v1/vips", vip_body(site))
    with make_site(server, admin) as elsewhere:
        far = {**vip_body(elsewhere, family=6), "tenant_id": site.tenant["id"]}
        apart = admin.post("/v1/vips", far)
        strange = elsewhere.member().post("/v1/vips", vip_body(elsewhere, family=6))

    for other, word in ((alike, "both IPv4"), (apart, "cluster"), (strange, "there is no vip")):
        problem = refusal(
            member, "POST", "/v1/listeners", body(pair, pool, dual_vip_id=other["id"])
        )
        assert problem["problems"][0]["pointer"] == "/dual_vip_id"
        assert word in problem["detail"]
    as_operator = refusal(
        admin, "POST", "/v1/listeners", body(pair, pool, dual_vip_id=strange["id"])
    )
    assert as_operator["problems"][0]["pointer"] == "/dual_vip_id"
    twice = body(pair, pool, dual_vip_id=pair[0]["id"])
    assert refusal(member, "POST", "/v1/listeners", twice)["status"] == 422


def test_sources_are_named_for_both_families_or_for_none(
    site: Site, member: ApiClient, pair: tuple[Json, Json], pool: str
) -> None:
    one_sided = body(pair, pool, allowed_sources=["192.0.2.0/24"])
    problem = refusal(member, "POST", "/v1/listeners", one_sided)
    assert problem["problems"][0]["pointer"] == "/allowed_sources"
    assert "::/0" in problem["detail"]

    member.post(
        "/v1/listeners", body(pair, pool, allowed_sources=["192.0.2.0/24", "2001:db8::/32"])
    )
    admissions = cluster_state(fetch(site.node())).admissions
    assert [[str(prefix) for prefix in each.sources[0]] for each in admissions] == [
        ["192.0.2.0/24"],
        ["2001:db8::/32"],
    ]
