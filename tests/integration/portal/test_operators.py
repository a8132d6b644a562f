"""An operator builds and keeps a fleet in the browser."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from tests.integration.portal.conftest import Visitor
from tests.integration.server.conftest import Site, unique


def fill(tab: Page, **fields: str) -> None:
    for label, text in fields.items():
        tab.get_by_label(label.replace("_", " "), exact=True).fill(text)


def press(tab: Page, name: str, then: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()
    tab.wait_for_url(f"**/portal/{then}")


def test_a_fleet_is_made_from_nothing(visitor: Visitor, site: Site) -> None:
    name = unique("fra")
    visitor.sign_in(site.server.admin_token)
    tab = visitor.open("/portal/nodes")
    tab.get_by_role("link", name="New cluster").click()
    expect(tab.get_by_label("Name", exact=True)).to_be_focused()
    fill(tab, Name=name, AS_number="none")
    tab.get_by_role("button", name="Make the cluster").click()
    wrong = tab.get_by_label("AS number", exact=True)
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description(re.compile("valid integer"))
    expect(tab.get_by_label("Name", exact=True)).to_have_value(name)
    wrong.fill("65010")
    press(tab, "Make the cluster", "nodes")

    tab.get_by_role("link", name="New node").click()
    tab.get_by_label("Cluster").select_option(label=name)
    fill(tab, Name="lb1", Addresses="10.0.10.1, fd00:10::1")
    press(tab, "Make the node", "nodes")
    row = tab.get_by_role("region", name=f"Nodes of {name}").get_by_role(
        "row", name=re.compile("lb1")
    )
    row.get_by_role("link", name="New token for lb1").click()
    press(tab, "Make the token", "tokens")
    shown = tab.locator("#secret")
    expect(shown).to_have_text(re.compile("^lbaas_"))
    assert (shown.text_content() or "").startswith("lbaas_")

    tab.goto(visitor.url + "/portal/peers/new")
    tab.get_by_label("Cluster").select_option(label=name)
    fill(tab, Name="tor1", Address="192.0.2.1", AS_number="65000", Password="between-us")
    tab.get_by_label("Multihop").check()
    press(tab, "Make the peer", "peers")

    tab.goto(visitor.url + "/portal/address-pools/new")
    tab.get_by_label("Cluster").select_option(label=name)
    fill(tab, Name=name, Prefix="203.0.113.0/24", Never_given_out="203.0.113.0/28")
    press(tab, "Make the address pool", "address-pools")

    cluster = site.admin.get("/v1/clusters", name=name)["items"][0]
    (node,) = site.admin.get("/v1/nodes", cluster_id=cluster["id"])["items"]
    assert node["addresses"] == ["10.0.10.1", "fd00:10::1"]
    (peer,) = site.admin.get("/v1/peers", cluster_id=cluster["id"])["items"]
    assert (peer["bfd"], peer["multihop"], peer["has_password"]) == (True, True, True)
    (pool,) = site.admin.get("/v1/address-pools", name=name)["items"]
    assert (pool["reserved"], pool["tenant_ids"]) == (["203.0.113.0/28"], None)


def test_a_tenant_gets_quotas_and_a_token_that_ends(visitor: Visitor, site: Site) -> None:
    name = unique("shop")
    visitor.sign_in(site.server.admin_token)
    tab = visitor.open("/portal/tenants/new")
    fill(tab, Name=name, Members_may_live_in="10.0.20.0/24", **{"VIPs,_at_most": "5"})
    press(tab, "Make the tenant", "tenants")
    (tenant,) = site.admin.get("/v1/tenants", name=name)["items"]
    assert tenant["quotas"] == {"vips": 5, "listeners": None, "pools": None, "members": None}

    tab.goto(f"{visitor.url}/portal/tenants?name={name}")
    tab.get_by_role("link", name=f"Settings of {name}").click()
    fill(tab, **{"VIPs,_at_most": "", "Pools,_at_most": "9"})
    press(tab, "Save", "tenants")
    kept = site.admin.get(f"/v1/tenants/{tenant['id']}")
    assert (kept["quotas"]["vips"], kept["quotas"]["pools"]) == (None, 9)
    assert kept["backend_prefixes"] == ["10.0.20.0/24"]

    tab.goto(f"{visitor.url}/portal/tenants?name={name}")
    tab.get_by_role("link", name=f"New token for {name}").click()
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    fill(tab, Name=name, Good_until_the_end_of=day)
    press(tab, "Make the token", "tokens")
    (token,) = (
        t for t in site.admin.get("/v1/tokens", sort="-created_at")["items"] if t["name"] == name
    )
    assert (token["role"], token["tenant_id"]) == ("member", tenant["id"])
    assert token["expires_at"].startswith(f"{day}T23:59:59")

    tab.goto(f"{visitor.url}/portal/tokens/{token['id']}/removal")
    press(tab, "Remove it", "tokens")
    assert site.admin.get("/v1/tokens", name=name)["items"] == []


def test_what_changed_under_a_form_is_not_overwritten_unseen(visitor: Visitor, site: Site) -> None:
    visitor.sign_in(site.server.admin_token)
    path = f"/portal/tenants/{site.tenant['id']}/settings"
    tab = visitor.open(path)
    site.admin.patch(f"/v1/tenants/{site.tenant['id']}", {"quotas": {"members": 77}})
    fill(tab, **{"VIPs,_at_most": "3"})
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("alert")).to_contain_text("read it again")
    expect(tab.get_by_label("VIPs, at most")).to_have_value("3")
    press(tab, "Save", "tenants")
    kept = site.admin.get(f"/v1/tenants/{site.tenant['id']}")["quotas"]
    assert kept["vips"] == 3
    site.admin.patch(f"/v1/tenants/{site.tenant['id']}", {"quotas": {}})


def test_what_others_use_stays_and_the_page_says_who_uses_it(visitor: Visitor, site: Site) -> None:
    visitor.sign_in(site.server.admin_token)
    tab = visitor.open(f"/portal/clusters/{site.cluster['id']}/removal")
    expect(tab.get_by_role("alert")).to_be_visible()
    expect(tab.get_by_role("button", name="Remove it")).to_have_count(0)
    assert site.admin.get(f"/v1/clusters/{site.cluster['id']}")["name"] == site.cluster["name"]
