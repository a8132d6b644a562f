"""How much a tenant may own, and what suspending it does."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lbaas.client.api import ApiProblem

from .conftest import Json, Site, cluster_state, fetch, listener, unique


def limit(site: Site, **quotas: int) -> None:
    site.admin.patch(f"/v1/tenants/{site.tenant['id']}", {"quotas": quotas})


def vip_body(site: Site, *listeners: Json) -> Json:
    return {
        "name": unique("v"),
        "address_pool_id": site.v4["id"],
        "listeners": list(listeners),
    }


def test_more_than_the_quota_is_refused_and_nothing_of_it_stays(site: Site) -> None:
    limit(site, vips=5, members=2)
    member = site.member()
    member.post("/v1/vips", vip_body(site, listener("a", 80, "10.0.20.1")))

    with pytest.raises(ApiProblem) as caught:
        member.post("/v1/vips", vip_body(site, listener("a", 80, "10.0.20.1", "10.0.20.2")))

    problem = caught.value.problem
    assert (problem["status"], problem["type"]) == (409, "/errors/quota-exceeded")
    assert problem["quota"] == {"resource": "members", "limit": 2, "would_be": 3}
    assert member.get("/v1/tenant")["usage"] == {
        "vips": 1,
        "listeners": 1,
        "pools": 1,
        "members": 1,
    }


def test_the_last_of_a_quota_is_had_once_by_many_who_ask_at_once(site: Site) -> None:
    limit(site, pools=5)
    http = site.member()._http

    def post(_: int) -> int:
        return http.post("/v1/pools", json={"name": unique("p")}).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(post, range(12)))

    assert statuses == [201] * 5 + [409] * 7


def test_a_quota_binds_operators_too_and_may_be_lifted_or_lowered_below_the_use(site: Site) -> None:
    pool = {"tenant_id": site.tenant["id"]}
    site.admin.post("/v1/pools", {**pool, "name": unique("p")})
    limit(site, pools=0)
    with pytest.raises(ApiProblem, match="quota is 0"):
        site.admin.post("/v1/pools", {**pool, "name": unique("p")})
    limit(site)
    site.admin.post("/v1/pools", {**pool, "name": unique("p")})

    shown = site.admin.get(f"/v1/tenants/{site.tenant['id']}")
    assert (shown["quotas"]["pools"], shown["usage"]["pools"]) == (None, 2)


def test_what_is_deleted_gives_its_place_free(site: Site) -> None:
    limit(site, pools=1)
    member = site.member()
    for _ in range(2):
        made = member.post("/v1/pools", {"name": unique("p")})
        member.delete(f"/v1/pools/{made['id']}")


def test_an_operator_has_no_tenant_of_its_own(site: Site) -> None:
    with pytest.raises(ApiProblem) as caught:
        site.admin.get("/v1/tenant")
    assert caught.value.status == 403


def test_a_suspended_tenants_vips_are_withdrawn_and_come_back_as_they_were(site: Site) -> None:
    member, node = site.member(), site.node()
    vip = member.post("/v1/vips", vip_body(site, listener("a", 80, "10.0.20.1")))
    path = f"/v1/tenants/{site.tenant['id']}"
    held = fetch(node)
    before = cluster_state(held)
    assert [str(service.backends[0].address) for service in before.services] == ["10.0.20.1"]

    site.admin.patch(path, {"admin_state": "suspended"})

    held = fetch(node, held)
    for state in (cluster_state(held), cluster_state(fetch(node))):
        assert (state.vips, state.announced, state.services, state.flows) == ((), (), (), ())
    assert member.get(f"/v1/vips/{vip['id']}") == vip
    renamed = member._http.patch(f"/v1/vips/{vip['id']}", json={"name": "other"})
    deleted = member._http.delete(f"/v1/vips/{vip['id']}?cascade=true")
    for answer in (renamed, deleted):
        assert (answer.status_code, answer.json()["type"]) == (403, "/errors/suspended")

    site.admin.patch(path, {"admin_state": "active"})

    for state in (cluster_state(fetch(node, held)), cluster_state(fetch(node))):
        assert state.vips == before.vips
        assert state.announced == before.announced
        assert state.services == before.services
        assert state.flows == before.flows
    member.patch(f"/v1/vips/{vip['id']}", {"name": unique("v")})
