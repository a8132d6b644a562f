"""What a form of the wizard or of a VIP's page orders, without a browser."""

import re
import time
from uuid import uuid4

import httpx

from tests.integration.portal.conftest import make_vip, token_of
from tests.integration.portal.test_doors import send, sign_in, web
from tests.integration.server.conftest import Site, unique


def test_an_order_of_both_families_is_two_vips_and_one_listener_however_often_it_is_sent(
    site: Site,
) -> None:
    name = unique("both")
    order = {
        "id": "draft",
        "name": name,
        "tenant_id": site.tenant["id"],
        "family": "46",
        "address_pool_id": site.v4["id"],
        "protocol": "tcp",
        "ports": "443",
        "member_address": "10.0.20.11",
        "member_weight": "1",
        "persistence_s": "300",
        "hash_ports": "false",
        "encapsulation": "gue",
    }
    with web(site.server) as client:
        sign_in(client, site.server.admin_token)
        review = client.get("/portal/vips/new", params={**order, "step": "review"})
        assert f"{name}-v6" in review.text
        assert site.admin.get("/v1/vips", name=name)["items"] == []
        led = [send(client, "/portal/vips", **order) for _ in range(2)]
    assert len({answer.headers["location"] for answer in led}) == 1
    (first,) = site.admin.get("/v1/vips", name=name)["items"]
    (second,) = site.admin.get("/v1/vips", name=f"{name}-v6")["items"]
    assert (":" in first["address"], ":" in second["address"]) == (False, True)
    (listener,) = first["listeners"]
    assert listener["dual_vip_id"] == second["id"]
    pool = site.admin.get(f"/v1/pools/{listener['pool_id']}")
    assert (pool["persistence_s"], pool["encapsulation"]) == (300, "gue")


def test_a_listener_may_be_added_for_a_vip_of_the_other_family_too(site: Site) -> None:
    member = site.member()
    vip = make_vip(site, member, "10.0.20.11")
    twin = member.post("/v1/vips", {"name": unique("v6"), "address_pool_id": site.v6["id"]})
    form = {
        "name": "https",
        "protocol": "tcp",
        "ports": "443",
        "pool_id": vip["listeners"][0]["pool_id"],
        "dual_vip_id": twin["id"],
    }
    with web(site.server) as client:
        sign_in(client, token_of(member))
        page = f"/portal/vips/{vip['id']}"
        assert send(client, f"{page}/listeners", **form).status_code == 303
        assert shown_beside(client.get(page)) == [twin["address"]]
        assert shown_beside(client.get(f"/portal/vips/{twin['id']}")) == [vip["address"]]
    (listener,) = member.get("/v1/listeners", name="https")["items"]
    assert listener["dual_vip_id"] == twin["id"]


def test_a_vips_page_draws_what_was_counted(site: Site) -> None:
    member = site.member()
    vip = make_vip(site, member, "10.0.20.11")
    begun_s = int(time.time()) // 3600 * 3600 - 7200
    total = {"point": "node", "vip": vip["id"], "packets": 9, "bytes": 5_000_000, "connections": 4}
    total["listener"] = vip["listeners"][0]["id"]
    times = {"begun_s": begun_s, "ended_s": begun_s + 60}
    counted = {"meter": str(uuid4()), "sequence": 1, **times, "totals": [total]}
    site.node().post("/v1/agent/usage", {"reports": [counted]})
    with web(site.server) as client:
        sign_in(client, token_of(member))
        for path in ("", "/usage", "/usage?period=month", "?period=nonsense"):
            page = client.get(f"/portal/vips/{vip['id']}{path}")
            assert page.status_code == 200
            assert "From clients: 5 MB" in page.text
            assert len(re.findall('class="amount"', page.text)) == 2


def shown_beside(page: httpx.Response) -> list[str]:
    return re.findall(r"also at <a[^>]*>([^<]+)</a>", page.text)
