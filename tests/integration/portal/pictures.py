"""``python -m tests.integration.portal.pictures`` makes the pictures of docs/portal.md anew."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from lbaas.client.api import ApiClient, Json
from tests.integration.portal.conftest import Visitor, report, token_of
from tests.integration.server.conftest import LiveServer, Site, start_server

FOLDER = Path("docs/portal")
STEP = "/portal/vips/new?step=health&name=dns&family=4&protocol=udp&ports=53"
MEMBERS = "&member_address=10.0.20.31&member_weight=1&member_address=10.9.0.1&member_weight=1"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="lbaas-pictures-", dir="/tmp"))
    folder.chmod(0o755)
    server = start_server(folder)
    try:
        with ApiClient(server.url, server.admin_token) as admin, _site(server, admin) as site:
            vip = _example(site)
            with sync_playwright() as playwright:
                path = shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
                _take(browser, site, vip)
    finally:
        server.stop()
        shutil.rmtree(folder)


def _site(server: LiveServer, admin: ApiClient) -> Site:
    cluster = admin.post("/v1/clusters", {"name": "fra1", "as_number": 65010})
    inside = {"cluster_id": cluster["id"]}
    for n in (1, 2):
        spine = {"name": f"spine{n}", "address": f"10.0.0.{n}", "as_number": 65000}
        admin.post("/v1/peers", {**inside, **spine})
    nodes = [
        admin.post("/v1/nodes", {**inside, "name": f"lb{n}", "addresses": [f"10.0.10.{n}"]})
        for n in (1, 2, 3)
    ]
    v4 = admin.post("/v1/address-pools", {**inside, "name": "public", "prefix": "203.0.113.0/24"})
    tenant = admin.post("/v1/tenants", {"name": "acme", "backend_prefixes": ["10.0.20.0/24"]})
    return Site(server, admin, cluster, nodes, v4, v4, tenant)


def _example(site: Site) -> Json:
    """A VIP whose second member drains, on three nodes of which one is drained."""
    member = site.member()
    members = [{"address": f"10.0.20.{n}", "weight": n - 10} for n in (11, 12, 13)]
    web = {"name": "https", "protocol": "tcp", "ports": [{"first": 80}, {"first": 443}]}
    listeners = [{**web, "pool": {"members": members, "monitor": {"kind": "tcp"}}}]
    labels = {"env": "prod", "team": "web"}
    vip = member.post("/v1/vips", {"name": "shop", "labels": labels, "listeners": listeners})
    path = f"/v1/pools/{vip['listeners'][0]['pool_id']}/members"
    drained = member.get(path)["items"][1]["id"]
    member.patch(f"{path}/{drained}", {"admin_state": "drained"})
    site.admin.patch(f"/v1/nodes/{site.nodes[2]['id']}", {"admin_state": "drained"})
    revision = member.get(f"/v1/vips/{vip['id']}/status")["revision"]
    for index in range(3):
        report(site, index, revision)
    return vip


def _take(browser: Browser, site: Site, vip: Json) -> None:
    page = f"/portal/vips/{vip['id']}"
    _picture(browser, site.server.admin_token, site, page, "vip", 660)
    _picture(browser, token_of(site.member()), site, STEP + MEMBERS, "wizard", 700)
    _picture(browser, site.server.admin_token, site, "/portal/nodes", "nodes", 540, dark=True)


def _picture(
    browser: Browser,
    token: str,
    site: Site,
    path: str,
    name: str,
    height: int,
    *,
    dark: bool = False,
) -> None:
    context = browser.new_context(
        viewport={"width": 1200, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    visitor = Visitor(context, site.server.url)
    visitor.sign_in(token)
    tab: Page = visitor.open(path)
    tab.screenshot(path=FOLDER / f"{name}.png")
    context.close()


if __name__ == "__main__":
    main()
