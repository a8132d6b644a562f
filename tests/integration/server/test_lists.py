"""Lists of a live server: which objects, in which order; and members as a set."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lbaas.client.api import ApiClient, ApiProblem

from .conftest import Json, Site, listener, unique


def names(client: ApiClient, path: str, **which: str) -> list[str]:
    return [one.get("name", one.get("address")) for one in client.get(path, **which)["items"]]


def pages(client: ApiClient, path: str, **which: str | int) -> list[str]:
    """The names on all pages."""
    seen: list[str] = []
    page = client.get(path, **which)
    while True:
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            return seen
        page = client.get(path, **which, cursor=page["next_cursor"])


LABELS: dict[str, dict[str, str]] = {
    "a": {"env": "prod", "tier": "web"},
    "b": {"env": "prod"},
    "c": {"env": "test", "canary": ""},
    "d": {},
}


@pytest.mark.parametrize(
    ("selector", "fit"),
    [
        ("env=prod", "ab"),
        ("env!=prod", "cd"),
        ("env", "abc"),
        ("!env", "d"),
        ("env=prod,!tier", "b"),
        ("canary=", "c"),
        ("env=prod,env=test", ""),
    ],
)
def test_labels_select(site: Site, selector: str, fit: str) -> None:
    member = site.member()
    for name, labels in LABELS.items():
        member.post("/v1/pools", {"name": name, "labels": labels})

    assert names(member, "/v1/pools", labels=selector) == list(fit)


def test_everything_of_a_tenant_has_labels_that_can_be_changed(site: Site) -> None:
    member = site.member()
    inline = listener("a", 80, labels={"of": "listener"})
    inline["pool"] |= {
        "labels": {"of": "pool"},
        "members": [{"address": "10.0.20.1", "labels": {"of": "member"}}],
    }
    body = {"name": "v", "address_pool_id": site.v4["id"], "labels": {"of": "vip"}}
    vip = member.post("/v1/vips", {**body, "listeners": [inline]})
    entry = vip["listeners"][0]
    pool = f"/v1/pools/{entry['pool_id']}"
    one = member.get(f"{pool}/members", labels="of=member")["items"][0]

    for path, of in (
        (f"/v1/vips/{vip['id']}", "vip"),
        (f"/v1/listeners/{entry['id']}", "listener"),
        (pool, "pool"),
        (f"{pool}/members/{one['id']}", "member"),
    ):
        assert member.get(path)["labels"] == {"of": of}
        assert member.patch(path, {"labels": {"is": of}})["labels"] == {"is": of}


def test_lists_are_filtered_by_what_can_be_asked(site: Site) -> None:
    member, admin = site.member(), site.admin
    body = {"address_pool_id": site.v4["id"]}
    one = member.post("/v1/vips", {**body, "name": "one", "listeners": [listener("a", 80)]})
    two = member.post("/v1/vips", {**body, "name": "two", "listeners": [listener("b", 81)]})

    assert names(member, "/v1/vips", address=one["address"]) == ["one"]
    assert names(member, "/v1/vips", address_pool_id=site.v6["id"]) == []
    assert names(admin, "/v1/vips", tenant_id=site.tenant["id"]) == ["one", "two"]
    assert names(member, "/v1/listeners", vip_id=two["id"]) == ["b"]
    pool_id = one["listeners"][0]["pool_id"]
    assert names(member, "/v1/listeners", pool_id=pool_id) == ["a"]
    assert names(member, "/v1/listeners", protocol="udp") == []
    inside = {"cluster_id": site.cluster["id"]}
    assert names(admin, "/v1/nodes", **inside, address="10.0.10.12") == ["lb1"]
    assert names(admin, "/v1/nodes", **inside, admin_state="drained") == []
    assert names(admin, "/v1/tenants", name=site.tenant["name"], admin_state="suspended") == []


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name", "-name"])
def test_every_order_shows_everything_once(site: Site, sort: str) -> None:
    member = site.member()
    made = ["b", "d", "a", "c", "e"]
    for name in made:
        member.post("/v1/pools", {"name": name})
    ordered = {"created_at": made, "name": sorted(made)}[sort.lstrip("-")]

    shown = pages(member, "/v1/pools", sort=sort, limit=2)

    assert shown == (ordered[::-1] if sort.startswith("-") else ordered)


def test_pages_stay_in_order_while_objects_come_and_go(site: Site) -> None:
    member = site.member()
    made = [member.post("/v1/pools", {"name": f"p{n}"}) for n in range(6)]

    first = member.get("/v1/pools", sort="name", limit=3)
    member.delete(f"/v1/pools/{made[0]['id']}")
    member.delete(f"/v1/pools/{made[2]['id']}")
    member.post("/v1/pools", {"name": "p00"})
    member.post("/v1/pools", {"name": "p9"})
    rest = member.get("/v1/pools", sort="name", limit=9, cursor=first["next_cursor"])

    assert [one["name"] for one in rest["items"]] == ["p3", "p4", "p5", "p9"]


@pytest.mark.parametrize(
    ("which", "parameter"),
    [
        ({"labels": "a=b=c"}, "labels"),
        ({"cursor": "WyJuYW1lIiwieCJd"}, "cursor"),
        ({"sort": "size"}, "sort"),
        ({"address": "10.0.0"}, "address"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(
    site: Site, which: dict[str, str], parameter: str
) -> None:
    with pytest.raises(ApiProblem) as caught:
        site.member().get("/v1/vips", **which)

    assert caught.value.problem["problems"][0]["parameter"] == parameter


@pytest.fixture
def http(site: Site) -> httpx.Client:
    return site.member()._http


def member_pool(http: httpx.Client, *addresses: str) -> str:
    """The path of a new pool's members."""
    body = {"name": unique("p"), "members": [{"address": address} for address in addresses]}
    return f"/v1/pools/{http.post('/v1/pools', json=body).json()['id']}/members"


def of(*addresses: str, **fields: object) -> Json:
    return {"members": [{"address": address, **fields} for address in addresses]}


def addresses(answer: httpx.Response) -> list[str]:
    body = answer.json()
    return [one["address"] for one in body.get("items", body.get("members"))]


def test_members_are_added_all_or_none(http: httpx.Client) -> None:
    path = member_pool(http, "10.0.20.1")

    good = http.post(f"{path}:add", json=of("10.0.20.2", "10.0.20.3"))
    bad = http.post(f"{path}:add", json=of("10.0.20.4", "10.9.9.9"))
    twice = http.post(f"{path}:add", json=of("10.0.20.5", "10.0.20.1"))

    assert (good.status_code, addresses(good)) == (201, ["10.0.20.2", "10.0.20.3"])
    assert bad.json()["problems"][0]["pointer"] == "/members/1/address"
    assert twice.json()["type"] == "/errors/address-taken"
    assert addresses(http.get(path)) == ["10.0.20.1", "10.0.20.2", "10.0.20.3"]


def test_a_replaced_set_keeps_who_stays(http: httpx.Client) -> None:
    path = member_pool(http, "10.0.20.1", "10.0.20.2")
    before = http.get(path)

    answer = http.put(
        path,
        json=of("10.0.20.3", "10.0.20.2", weight=7),
        headers={"If-Match": before.headers["ETag"]},
    )

    assert answer.status_code == 200
    assert addresses(answer) == ["10.0.20.2", "10.0.20.3"]
    assert answer.json()["members"][0]["id"] == before.json()["items"][1]["id"]
    assert [one["weight"] for one in answer.json()["members"]] == [7, 7]
    assert http.get(path).headers["ETag"] == answer.headers["ETag"]


def test_a_set_is_not_replaced_blindly_nor_over_a_change_unseen(http: httpx.Client) -> None:
    path = member_pool(http, "10.0.20.1")
    seen = http.get(path).headers["ETag"]
    blind = http.put(path, json=of("10.0.20.9"))
    http.post(path, json={"address": "10.0.20.2"})
    late = http.put(path, json=of("10.0.20.9"), headers={"If-Match": seen})

    assert (blind.status_code, blind.json()["type"]) == (428, "/errors/blind-write")
    assert (late.status_code, late.json()["type"]) == (412, "/errors/changed-meanwhile")
    assert addresses(http.get(path)) == ["10.0.20.1", "10.0.20.2"]
    assert http.put(path, json=of(), headers={"If-Match": "*"}).status_code == 200
    assert addresses(http.get(path)) == []


def test_different_members_of_one_pool_are_changed_at_once_by_many(http: httpx.Client) -> None:
    wanted = [f"10.0.20.{n}" for n in range(1, 17)]
    path = member_pool(http, *wanted)
    ids = [one["id"] for one in http.get(path).json()["items"]]

    def patch(member_id: str) -> int:
        return http.patch(f"{path}/{member_id}", json={"weight": 3}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(patch, ids)) == {200}
    assert {one["weight"] for one in http.get(path).json()["items"]} == {3}
