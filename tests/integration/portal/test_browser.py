"""The portal as people meet it: in a browser, over a live server."""

import re
from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.integration.portal.conftest import (
    Visitor,
    make_vip,
    report,
    token_of,
)
from tests.integration.server.conftest import Site, cluster_state, fetch, unique

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")


def press_on(tab: Page) -> None:
    tab.get_by_role("button", name="Continue", exact=True).last.click()


def begin(tab: Page, name: str) -> None:
    """The wizard, as far as the members."""
    tab.get_by_label("Name").fill(name)
    press_on(tab)
    press_on(tab)
    to_members(tab)


def to_members(tab: Page) -> None:
    """The same, from the ports on."""
    tab.get_by_label("Ports").fill("80, 8000-8099")
    press_on(tab)
    expect(tab.get_by_role("heading", name="Who answers?")).to_be_visible()


def test_a_vip_is_ordered_step_by_step_and_seen_until_every_node_has_it(
    visitor: Visitor, site: Site
) -> None:
    member, name = site.member(), unique("shop")
    # An operator, who chooses the pool: a tenant's order goes to any cluster of the server, another test's too.
    tab = visitor.sign_in(site.server.admin_token)
    tab.get_by_role("link", name="New VIP").click()
    tab.get_by_label("Tenant").select_option(label=site.tenant["name"])
    tab.get_by_label("Name").fill(name)
    press_on(tab)
    tab.get_by_label("Address pool").select_option(label=site.v4["name"])
    press_on(tab)
    to_members(tab)
    tab.get_by_label("Member 1").fill("10.0.20.11")
    tab.get_by_label("Member 2").fill("192.0.2.1")
    press_on(tab)

    wrong = tab.get_by_label("Member 2")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description(re.compile("not in the tenant's backend prefixes"))
    expect(tab.get_by_label("Member 1")).to_have_value("10.0.20.11")

    wrong.fill("10.0.20.12")
    press_on(tab)
    tab.get_by_role("radio", name="HTTP a page answers", exact=True).check()
    tab.get_by_label("Path").fill("/up")
    press_on(tab)
    expect(tab.get_by_text("Nothing is made yet")).to_be_visible()
    assert member.get("/v1/vips", name=name)["items"] == []
    tab.get_by_role("button", name="Make the VIP").click()

    expect(tab.get_by_role("heading", name=name)).to_be_visible()
    (vip,) = member.get("/v1/vips", name=name)["items"]
    assert [span["last"] for span in vip["listeners"][0]["ports"]] == [80, 8099]
    pool = member.get(f"/v1/pools/{vip['listeners'][0]['pool_id']}")
    assert pool["monitor"]["http"]["path"] == "/up"
    expect(tab.get_by_text("0 of 2 active nodes")).to_be_visible()
    revision = member.get(f"/v1/vips/{vip['id']}/status")["revision"]
    report(site, 0, revision)
    expect(tab.get_by_text("1 of 2 active nodes")).to_be_visible()
    report(site, 1, revision)
    expect(tab.get_by_text("2 of 2 active nodes")).to_be_visible()
    way = tab.get_by_role("region", name=re.compile("^The packet"))
    for stop in ("lb0", "lb1", "10.0.20.11", "10.0.20.12"):
        expect(way.get_by_text(stop, exact=True)).to_be_visible()


def test_the_wizard_goes_by_keyboard_and_back_and_reload_lose_nothing(
    visitor: Visitor, site: Site
) -> None:
    visitor.sign_in(token_of(site.member()))
    tab, name = visitor.open("/portal/vips/new"), unique("keys")
    expect(tab.get_by_label("Name")).to_be_focused()
    tab.keyboard.type(name)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Which address")).to_be_visible()
    tab.reload()
    press_on(tab)
    expect(tab.get_by_label("Ports")).to_be_focused()
    tab.keyboard.type("no port")
    tab.keyboard.press("Enter")
    expect(tab.get_by_label("Ports")).to_have_value("no port")
    expect(tab.get_by_label("Ports")).to_have_accessible_description(re.compile("valid integer"))
    tab.get_by_role("button", name="Back").click()
    tab.get_by_role("button", name="Back").click()
    expect(tab.get_by_label("Name")).to_have_value(name)
    tab.go_back()
    tab.go_back()
    expect(tab.get_by_label("Ports")).to_have_value("no port")


def test_two_drafts_order_two_vips_and_one_draft_in_two_tabs_orders_one(
    visitor: Visitor, site: Site
) -> None:
    member = site.member()
    visitor.sign_in(token_of(member))
    names = unique("left"), unique("right")
    tabs = [visitor.open("/portal/vips/new") for _ in names]
    for tab, name in zip(tabs, names, strict=True):
        begin(tab, name)
    for tab, address in zip(tabs, ("10.0.20.21", "10.0.20.22"), strict=True):
        tab.get_by_label("Member 1").fill(address)
        press_on(tab)
        press_on(tab)
    again = visitor.open(tabs[0].url.removeprefix(visitor.url))
    for tab in (*tabs, again):
        tab.get_by_role("button", name="Make the VIP").click()
    for tab, name in zip(tabs, names, strict=True):
        expect(tab.get_by_role("heading", name=name)).to_be_visible()
        assert len(member.get("/v1/vips", name=name)["items"]) == 1
    expect(again.get_by_role("heading", name=names[0])).to_be_visible()
    assert again.url == tabs[0].url


def test_a_drain_is_one_key_and_shows_in_another_tab_without_reload(
    visitor: Visitor, site: Site
) -> None:
    member = site.member()
    vip = make_vip(site, member, "10.0.20.11", "10.0.20.12")
    pool = vip["listeners"][0]["pool_id"]
    visitor.sign_in(token_of(member))
    here, there = (visitor.open(f"/portal/pools/{pool}") for _ in range(2))

    here.get_by_role("button", name="Drain 10.0.20.11").press("Enter")

    button = here.get_by_role("button", name="Undrain 10.0.20.11")
    expect(button).to_be_focused()
    row = there.get_by_role("row", name=re.compile("10.0.20.11"))
    expect(row.get_by_text("drained")).to_be_visible()
    states = {
        each["address"]: each["admin_state"]
        for each in member.get(f"/v1/pools/{pool}/members")["items"]
    }
    assert states == {"10.0.20.11": "drained", "10.0.20.12": "active"}
    button.press("Enter")
    expect(here.get_by_role("button", name="Drain 10.0.20.11", exact=True)).to_be_visible()


def test_a_wrong_weight_and_a_wrong_member_are_told_beside_their_fields(
    visitor: Visitor, site: Site
) -> None:
    member = site.member()
    pool = make_vip(site, member, "10.0.20.11")["listeners"][0]["pool_id"]
    visitor.sign_in(token_of(member))
    tab = visitor.open(f"/portal/pools/{pool}")
    weight = tab.get_by_label("Weight of 10.0.20.11", exact=True)
    weight.fill("5000")
    weight.press("Enter")
    expect(weight).to_have_value("5000")
    expect(weight).to_have_accessible_description(re.compile("less than or equal to 1000"))
    tab.get_by_label("Address").fill("10.0.20.11")
    tab.get_by_role("button", name="Add").click()
    added = tab.get_by_label("Address")
    expect(added).to_have_value("10.0.20.11")
    expect(added).to_have_accessible_description(re.compile("the address is another's"))


def test_settings_are_changed_and_what_is_wrong_with_them_stands_beside(
    visitor: Visitor, site: Site
) -> None:
    member = site.member()
    vip = make_vip(site, member, "10.0.20.11")
    pool = vip["listeners"][0]["pool_id"]
    visitor.sign_in(token_of(member))
    tab = visitor.open(f"/portal/pools/{pool}")
    tab.get_by_text("Settings").click()
    tab.get_by_role("radio", name="TCP a connection opens").check()
    tab.get_by_label("Timeout").fill("60")
    tab.get_by_role("button", name="Save").click()
    wrong = tab.get_by_label("Timeout")
    expect(wrong).to_have_accessible_description(re.compile("at most interval_s"))
    wrong.fill("3")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("tcp, every 5 s")).to_be_visible()
    assert member.get(f"/v1/pools/{pool}")["monitor"]["timeout_s"] == 3

    tab.goto(f"{visitor.url}/portal/vips/{vip['id']}")
    tab.get_by_text("Settings").click()
    sources = tab.get_by_label("Who may come")
    sources.fill("nowhere")
    tab.get_by_role("button", name="Save").click()
    expect(sources).to_have_accessible_description(re.compile("write a prefix"))
    sources.fill("192.0.2.0/24, 198.51.100.0/24")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("Only from 192.0.2.0/24, 198.51.100.0/24")).to_be_visible()


def test_a_member_is_as_the_nodes_find_it(visitor: Visitor, site: Site) -> None:
    member = site.member()
    vip = make_vip(site, member, "10.0.20.11", "10.0.20.12")
    pool = vip["listeners"][0]["pool_id"]
    member.patch(f"/v1/pools/{pool}", {"monitor": {"kind": "tcp"}})
    revision = member.get(f"/v1/vips/{vip['id']}/status")["revision"]
    (service,) = (
        each
        for each in cluster_state(fetch(site.node())).services
        if str(each.vip) == vip["address"]
    )
    refused = {"mark": service.mark, "address": "10.0.20.12", "since": 1, "cause": "refused"}
    report(site, 0, revision, checked=2)
    report(site, 1, revision, checked=2)
    visitor.sign_in(token_of(member))
    tab = visitor.open(f"/portal/vips/{vip['id']}")
    way = tab.get_by_role("region", name=re.compile("^The packet"))
    expect(way.get_by_text("healthy", exact=True)).to_have_count(2)
    for node in range(2):
        report(site, node, revision, checked=2, unhealthy=[refused])
    expect(way.get_by_text("refused (lb0, lb1)")).to_be_visible()
    expect(way.locator(".flow.cut")).to_have_count(2)  # from both nodes to the one member


def test_an_operator_gives_his_word_for_a_held_removal(visitor: Visitor, site: Site) -> None:
    vip = make_vip(site, site.member(), "10.0.20.11")
    revision = site.admin.get(f"/v1/vips/{vip['id']}/status")["revision"]
    held = {"revision": revision, "services": 60, "of": 100}
    report(site, 0, revision, facts={"held_removal": held})
    visitor.sign_in(site.server.admin_token)
    tab = visitor.open("/portal/nodes")
    expect(tab.get_by_text("lb0 waits for your word")).to_be_visible()
    tab.get_by_role("button", name="Let it remove them").click()
    tab.wait_for_url("**/portal/nodes")
    node = site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")
    assert node["removal_confirmed"] == revision


def test_an_operator_drains_a_node_and_sees_how_full_pools_are(
    visitor: Visitor, site: Site
) -> None:
    site.member()
    visitor.sign_in(site.server.admin_token)
    tab = visitor.open("/portal/nodes")
    nodes = tab.get_by_role("region", name=f"Nodes of {site.cluster['name']}")
    nodes.get_by_role("button", name="Drain lb1").click()
    expect(nodes.get_by_role("row", name=re.compile("lb1")).get_by_text("drained")).to_be_visible()
    node = site.admin.get(f"/v1/nodes/{site.nodes[1]['id']}")
    assert node["admin_state"] == "drained"
    nodes.get_by_role("button", name="Activate lb1").click()
    expect(nodes.get_by_role("button", name="Drain lb1")).to_be_visible()
    tab.goto(visitor.url + "/portal/address-pools")
    expect(tab.get_by_text("of 256").first).to_be_visible()


def test_a_removal_says_what_goes_before_it_does(visitor: Visitor, site: Site) -> None:
    member = site.member()
    vip = make_vip(site, member, "10.0.20.11")
    visitor.sign_in(token_of(member))
    tab = visitor.open(f"/portal/vips/{vip['id']}")
    tab.get_by_role("link", name="Remove…").click()
    expect(tab.get_by_role("listitem").filter(has_text="listener http")).to_be_visible()
    tab.get_by_role("button", name="Remove the VIP").click()
    tab.wait_for_url("**/portal/vips")
    assert member.get("/v1/vips", name=vip["name"])["items"] == []


def test_pages_keep_nobody_out(visitor: Visitor, site: Site) -> None:
    """WCAG A and AA as far as axe can tell, contrast included, light and dark; and nothing is wider than a phone."""
    vip = make_vip(site, site.member(), "10.0.20.11")
    paths = (
        "/portal/",
        "/portal/vips",
        f"/portal/vips/{vip['id']}",
        f"/portal/pools/{vip['listeners'][0]['pool_id']}",
        "/portal/vips/new?step=ports",
        "/portal/events",
        "/portal/nodes",
        "/portal/address-pools",
        "/portal/tenants",
        "/portal/tokens",
        "/portal/backend-hosts",
        "/portal/clusters/new",
        "/portal/address-pools/new",
        f"/portal/tenants/{site.tenant['id']}/settings",
        f"/portal/tenants/{site.tenant['id']}/removal",
    )
    tab = visitor.open("/portal/sign-in")
    found = violations(tab)
    visitor.sign_in(site.server.admin_token)
    for path in paths:
        tab.emulate_media(color_scheme="light")
        tab.goto(visitor.url + path)
        found += violations(tab)
        tab.emulate_media(color_scheme="dark")
        found += violations(tab, ["color-contrast"])
        tab.set_viewport_size({"width": 360, "height": 740})
        if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{path} is wider than a phone")
        tab.set_viewport_size({"width": 1280, "height": 860})
    assert found == []


def violations(tab: Page, rules: Sequence[str] = WCAG) -> list[str]:
    found = Axe().run(tab, options={"runOnly": list(rules)}).response["violations"]
    return [
        f"{tab.url}: {each['id']}: {node['html']}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
