"""What tenants and operators may do, and what they are told when they may not."""

import pytest

from lbaas.client.api import ApiClient, ApiProblem

from .conftest import Json, LiveServer, Site, listener, make_site, unique


def refusal(client: ApiClient, method: str, path: str, body: Json | None = None) -> Json:
    """The problem that the request is answered with."""
    with pytest.raises(ApiProblem) as caught:
        client.request(method, path, body)
    return caught.value.problem


def vip_body(site: Site, *listeners: Json, **other: object) -> Json:
    pool = site.v6 if other.pop("family", 4) == 6 else site.v4
    return {
        "name": unique("vip"),
        "address_pool_id": pool["id"],
        "listeners": list(listeners),
        **other,
    }


def test_one_post_carries_a_vip_with_listeners_pools_and_members(site: Site) -> None:
    member = site.member()
    body = vip_body(
        site,
        listener("http", 80, "10.0.20.11", "10.0.20.12"),
        listener("https", 443, "10.0.20.11"),
        labels={"env": "prod"},
    )

    vip = member.post("/v1/vips", body)

    assert vip == member.get(f"/v1/vips/{vip['id']}")
    assert vip["cluster_id"] == site.cluster["id"]
    assert vip["address"].startswith("198.51.100.")
    assert vip["labels"] == {"env": "prod"}
    assert [entry["name"] for entry in vip["listeners"]] == ["http", "https"]
    pool_id = vip["listeners"][0]["pool_id"]
    assert member.get(f"/v1/pools/{pool_id}")["name"] == f"{body['name']}-http"
    members = member.get(f"/v1/pools/{pool_id}/members")["items"]
    assert [(one["address"], one["weight"]) for one in members] == [
        ("10.0.20.11", 1),
        ("10.0.20.12", 1),
    ]


def test_a_given_address_is_had_once_and_again_after_its_vip_is_gone(site: Site) -> None:
    member = site.member()
    body = vip_body(site, address="198.51.100.77")

    vip = member.post("/v1/vips", body)
    assert vip["address"] == "198.51.100.77"
    problem = refusal(member, "POST", "/v1/vips", {**body, "name": unique("vip")})
    assert problem["type"] == "/errors/address-taken"

    member.delete(f"/v1/vips/{vip['id']}")
    assert member.post("/v1/vips", body)["address"] == "198.51.100.77"


def test_an_exhausted_pool_is_named(site: Site) -> None:
    pool = site.admin.post(
        "/v1/address-pools",
        {
            "name": unique("tiny"),
            "cluster_id": site.cluster["id"],
            "prefix": "203.0.113.0/30",
            "reserved": ["203.0.113.0/31"],
        },
    )
    member = site.member()
    body = {"address_pool_id": pool["id"]}

    taken = {member.post("/v1/vips", {**body, "name": unique("v")})["address"] for _ in range(2)}

    assert taken == {"203.0.113.2", "203.0.113.3"}
    problem = refusal(member, "POST", "/v1/vips", {**body, "name": unique("v")})
    assert problem["type"] == "/errors/pool-exhausted"
    assert pool["name"] in problem["detail"]
    given = {**body, "name": unique("v"), "address": "203.0.113.1"}
    assert "reserved" in refusal(member, "POST", "/v1/vips", given)["detail"]


def test_a_pool_of_other_tenants_gives_no_address(site: Site) -> None:
    other = site.admin.post("/v1/tenants", {"name": unique("t")})
    site.admin.patch(f"/v1/address-pools/{site.v4['id']}", {"tenant_ids": [other["id"]]})

    problem = refusal(site.member(), "POST", "/v1/vips", vip_body(site))

    assert problem["problems"][0]["pointer"] == "/address_pool_id"


def test_a_member_outside_the_tenants_prefixes_is_refused_by_pointer(site: Site) -> None:
    body = vip_body(site, listener("a"), listener("b", 81, "10.0.20.1", "10.9.9.9"))

    problem = refusal(site.member(), "POST", "/v1/vips", body)

    assert problem["status"] == 422
    assert problem["problems"][0]["pointer"] == "/listeners/1/pool/members/1/address"
    assert "10.0.20.0/24" in problem["detail"]


def test_a_member_of_the_other_family_is_refused_wherever_it_comes_in(site: Site) -> None:
    member = site.member()
    inline = listener("a", 80, "10.0.20.1")
    inline["pool"]["encapsulation"] = "gue"
    problem = refusal(member, "POST", "/v1/vips", vip_body(site, inline, family=6))
    assert problem["problems"][0]["pointer"] == "/listeners/0/pool/members/0/address"
    assert "tunnel of ipip" in problem["detail"]

    inline["pool"]["members"] = []
    vip = member.post("/v1/vips", vip_body(site, inline, family=6))
    pool_id = vip["listeners"][0]["pool_id"]
    late = refusal(member, "POST", f"/v1/pools/{pool_id}/members", {"address": "10.0.20.1"})
    assert late["problems"][0]["pointer"] == "/address"

    four = member.post(
        "/v1/pools",
        {"name": unique("p"), "members": [{"address": "10.0.20.1"}], "forwarding": "direct"},
    )
    attach = {
        "vip_id": vip["id"],
        "name": "b",
        "protocol": "tcp",
        "ports": [{"first": 81}],
        "pool_id": four["id"],
    }
    assert refusal(member, "POST", "/v1/listeners", attach)["problems"][0]["pointer"] == "/pool_id"


def test_a_member_port_is_refused_with_dsrs_reason(site: Site) -> None:
    body = {"name": unique("p"), "members": [{"address": "10.0.20.1", "port": 8080}]}

    problem = refusal(site.member(), "POST", "/v1/pools", body)

    assert problem["problems"] == [
        {"pointer": "/members/0/port", "detail": problem["problems"][0]["detail"]}
    ]
    assert "listens on the VIP's port" in problem["detail"]


def test_overlapping_ports_name_the_other_listener(site: Site) -> None:
    member = site.member()
    vip = member.post("/v1/vips", vip_body(site, listener("web", 80)))
    attach = {
        "vip_id": vip["id"],
        "name": "more",
        "protocol": "tcp",
        "ports": [{"first": 70, "last": 90}],
        "pool_id": vip["listeners"][0]["pool_id"],
    }

    problem = refusal(member, "POST", "/v1/listeners", attach)
    assert problem["type"] == "/errors/ports-overlap"
    assert problem["used_by"][0]["id"] == vip["listeners"][0]["id"]

    assert member.post("/v1/listeners", {**attach, "protocol": "udp"})["protocol"] == "udp"
    twice = vip_body(site, listener("a", 80), listener("b", 80))
    assert refusal(member, "POST", "/v1/vips", twice)["type"] == "/errors/ports-overlap"


def test_a_listener_keeps_its_own_ports_when_it_is_changed(site: Site) -> None:
    member = site.member()
    vip = member.post("/v1/vips", vip_body(site, listener("web", 80)))

    changed = member.patch(
        f"/v1/listeners/{vip['listeners'][0]['id']}", {"ports": [{"first": 80, "last": 90}]}
    )

    assert changed["ports"] == [{"first": 80, "last": 90}]


def test_schedulers_that_differ_per_node_are_for_single_nodes(
    server: LiveServer, admin: ApiClient, site: Site
) -> None:
    member = site.member()
    inline = listener("a")
    inline["pool"]["scheduler"] = "rr"
    assert refusal(member, "POST", "/v1/vips", vip_body(site, inline))["status"] == 422
    vip = member.post("/v1/vips", vip_body(site, listener("a")))
    path = f"/v1/pools/{vip['listeners'][0]['pool_id']}"
    assert refusal(member, "PATCH", path, {"scheduler": "wlc"})["status"] == 422

    single = make_site(server, admin, nodes=1)
    with_rr = {**vip_body(single, inline), "tenant_id": single.tenant["id"]}
    admin.post("/v1/vips", with_rr)
    another = {"cluster_id": single.cluster["id"], "name": "lb9", "addresses": ["10.0.10.99"]}
    problem = refusal(admin, "POST", "/v1/nodes", another)
    assert problem["type"] == "/errors/conflict"
    assert problem["used_by"][0]["kind"] == "pool"


def test_what_is_in_use_is_not_deleted_and_the_users_are_told(site: Site) -> None:
    admin, member = site.admin, site.member()
    vip = member.post("/v1/vips", vip_body(site, listener("web", 80, "10.0.20.1")))
    entry = vip["listeners"][0]

    def users(client: ApiClient, path: str) -> list[tuple[str, str]]:
        problem = refusal(client, "DELETE", path)
        assert problem["type"] == "/errors/in-use"
        return [(user["kind"], user["id"]) for user in problem["used_by"]]

    assert users(member, f"/v1/vips/{vip['id']}") == [("listener", entry["id"])]
    assert users(member, f"/v1/pools/{entry['pool_id']}") == [("listener", entry["id"])]
    assert users(admin, f"/v1/address-pools/{site.v4['id']}") == [("vip", vip["id"])]
    assert ("vip", vip["id"]) in users(admin, f"/v1/tenants/{site.tenant['id']}")
    assert {kind for kind, _ in users(admin, f"/v1/clusters/{site.cluster['id']}")} == {
        "node",
        "address pool",
    }
    narrower = {"backend_prefixes": ["10.0.99.0/24"]}
    problem = refusal(admin, "PATCH", f"/v1/tenants/{site.tenant['id']}", narrower)
    assert problem["type"] == "/errors/in-use"

    member.delete(f"/v1/vips/{vip['id']}", cascade="true")
    assert refusal(member, "GET", f"/v1/listeners/{entry['id']}")["status"] == 404
    member.delete(f"/v1/pools/{entry['pool_id']}")


def test_everything_can_be_taken_apart_again(site: Site) -> None:
    admin = site.admin
    for node in site.nodes:
        admin.delete(f"/v1/nodes/{node['id']}")
    for pool in (site.v4, site.v6):
        admin.delete(f"/v1/address-pools/{pool['id']}")
    admin.delete(f"/v1/clusters/{site.cluster['id']}")
    admin.delete(f"/v1/tenants/{site.tenant['id']}")

    assert refusal(admin, "GET", f"/v1/clusters/{site.cluster['id']}")["status"] == 404


def test_taken_names_and_addresses_are_conflicts(site: Site) -> None:
    admin, member = site.admin, site.member()
    assert refusal(admin, "POST", "/v1/tenants", {"name": site.tenant["name"]})["type"] == (
        "/errors/name-taken"
    )
    vip = member.post("/v1/vips", vip_body(site))
    assert refusal(member, "POST", "/v1/vips", vip_body(site, name=vip["name"]))["type"] == (
        "/errors/name-taken"
    )
    node = {"cluster_id": site.cluster["id"], "name": "other", "addresses": ["10.0.10.11"]}
    assert refusal(admin, "POST", "/v1/nodes", node)["type"] == "/errors/address-taken"
    pool = {"name": unique("p"), "cluster_id": site.cluster["id"], "prefix": "198.51.0.0/16"}
    assert refusal(admin, "POST", "/v1/address-pools", pool)["type"] == "/errors/address-taken"
    mine = member.post("/v1/pools", {"name": unique("p"), "members": [{"address": "10.0.20.1"}]})
    again = refusal(member, "POST", f"/v1/pools/{mine['id']}/members", {"address": "10.0.20.1"})
    assert again["type"] == "/errors/address-taken"


def test_patches_change_what_they_name(site: Site) -> None:
    admin, member = site.admin, site.member()
    node = f"/v1/nodes/{site.nodes[0]['id']}"
    assert admin.patch(node, {"admin_state": "drained"})["admin_state"] == "drained"
    assert admin.get(node)["name"] == "lb0"

    peer = admin.post(
        "/v1/peers",
        {
            "cluster_id": site.cluster["id"],
            "name": "r",
            "address": "10.0.10.1",
            "as_number": 65000,
            "password": "secret",
        },
    )
    assert peer["has_password"]
    assert "password" not in peer
    cleared = admin.patch(f"/v1/peers/{peer['id']}", {"password": None, "bfd": False})
    assert (cleared["has_password"], cleared["bfd"], cleared["multihop"]) == (False, False, False)
    admin.delete(f"/v1/peers/{peer['id']}")

    pool = member.post("/v1/pools", {"name": unique("p"), "members": [{"address": "10.0.20.1"}]})
    [one] = member.get(f"/v1/pools/{pool['id']}/members")["items"]
    path = f"/v1/pools/{pool['id']}/members/{one['id']}"
    changed = member.patch(path, {"weight": 7, "admin_state": "drained"})
    assert (changed["weight"], changed["admin_state"]) == (7, "drained")
    assert changed == member.get(path)
    member.delete(path)
    assert member.get(f"/v1/pools/{pool['id']}/members")["items"] == []

    vip = member.post("/v1/vips", vip_body(site))
    renamed = member.patch(f"/v1/vips/{vip['id']}", {"labels": {"a": "b"}})
    assert renamed["labels"] == {"a": "b"}
    assert renamed["updated_at"] > vip["updated_at"]


def test_pages_hold_every_object_once_in_order(site: Site) -> None:
    member = site.member()
    names = [member.post("/v1/pools", {"name": unique("p")})["name"] for _ in range(5)]

    seen, cursor = [], None
    while True:
        params: dict[str, str | int] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = member.get("/v1/pools", **params)
        seen += [pool["name"] for pool in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
        assert len(page["items"]) == 2

    assert seen == names
    assert [pool["name"] for pool in member.get("/v1/pools", name=names[2])["items"]] == [names[2]]
    with pytest.raises(ApiProblem) as caught:
        member.get("/v1/pools", cursor="nonsense")
    assert caught.value.status == 422


def test_an_operator_says_whose_an_object_becomes_and_a_tenant_need_not(site: Site) -> None:
    body = vip_body(site)
    assert refusal(site.admin, "POST", "/v1/vips", body)["problems"][0]["pointer"] == "/tenant_id"
    vip = site.admin.post("/v1/vips", {**body, "tenant_id": site.tenant["id"]})
    assert vip["tenant_id"] == site.tenant["id"]
    other = site.admin.post("/v1/tenants", {"name": unique("t")})
    foreign = {**vip_body(site), "tenant_id": other["id"]}
    assert refusal(site.member(), "POST", "/v1/vips", foreign)["status"] == 422


def test_not_even_an_operator_joins_two_tenants(site: Site) -> None:
    other = site.admin.post("/v1/tenants", {"name": unique("t")})
    pool = site.admin.post("/v1/pools", {"name": unique("p"), "tenant_id": other["id"]})
    entry = {"name": "a", "protocol": "tcp", "ports": [{"first": 80}], "pool_id": pool["id"]}
    body = vip_body(site, entry, tenant_id=site.tenant["id"])

    assert "not of the VIP's tenant" in refusal(site.admin, "POST", "/v1/vips", body)["detail"]


def test_without_a_pool_or_a_family_the_address_is_ipv4(server: LiveServer, site: Site) -> None:
    alone = {"tenant_ids": [site.tenant["id"]]}
    for pool in (site.v4, site.v6):
        site.admin.patch(f"/v1/address-pools/{pool['id']}", alone)
    member = site.member()

    assert ":" not in member.post("/v1/vips", {"name": "four"})["address"]
    assert ":" in member.post("/v1/vips", {"name": "six", "family": 6})["address"]


def test_a_write_answers_with_its_revision_and_a_read_has_none(site: Site) -> None:
    member = site.member()
    with member._http as http:
        first = http.post("/v1/pools", json={"name": unique("p")})
        second = http.post("/v1/pools", json={"name": unique("p")})
        read = http.get("/v1/pools")

    assert int(first.headers["LBaaS-Revision"]) < int(second.headers["LBaaS-Revision"])
    assert "LBaaS-Revision" not in read.headers
