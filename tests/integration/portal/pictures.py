"""``python -m tests.integration.portal.pictures`` makes the pictures of docs/portal.md anew."""

import math
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

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
    quotas = {"vips": 20, "listeners": 60, "pools": 40, "members": 400}
    prefixes = {"backend_prefixes": ["10.0.20.0/24"]}
    tenant = admin.post("/v1/tenants", {"name": "acme", **prefixes, "quotas": quotas})
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
    _traffic(site, vip, revision)
    return vip


def _traffic(site: Site, vip: Json, revision: int) -> None:
    """A day of it, with a quiet night."""
    made = {"name": "rack7", "addresses": ["10.0.20.11"]}
    host = site.admin.post("/v1/backend-hosts", made)
    rack = site.client("host", host_id=host["id"])
    applied = {"revision": revision, "digest": "", "changes": 4, "repaired": 0}
    rack.post("/v1/agent/report", {"boot": str(uuid4()), "sequence": 1, **applied})
    counting = ((site.node(0), "node", 1), (rack, "reply", 40))
    for agent, point, share in counting:
        agent.post("/v1/agent/usage", {"reports": list(_counted(vip, point, share))})


def _counted(vip: Json, point: str, share: int) -> Iterator[Json]:
    now_s, meter = int(time.time()), str(uuid4())
    for sequence in range(1, 25):
        begun_s = now_s - (25 - sequence) * 3600
        hour = time.gmtime(begun_s).tm_hour
        level = 1.2 - math.cos((hour - 3) * math.pi / 12) + 0.1 * math.sin(sequence * 7)
        packets = round(400_000 * level)
        total = {
            "point": point,
            "vip": vip["id"],
            "packets": packets,
            "bytes": packets * 64 * share,
        }
        if point == "node":
            total |= {"listener": vip["listeners"][0]["id"], "connections": packets // 9}
        times = {"begun_s": begun_s, "ended_s": begun_s + 60}
        yield {"meter": meter, "sequence": sequence, **times, "totals": [total]}


def _take(browser: Browser, site: Site, vip: Json) -> None:
    page = f"/portal/vips/{vip['id']}"
    operator, tenant = site.server.admin_token, token_of(site.member())
    pool = f"/portal/pools/{vip['listeners'][0]['pool_id']}"
    _picture(browser, operator, site, page, "vip", 660)
    _picture(browser, tenant, site, page, "usage", 340, of="#usage")
    _picture(browser, tenant, site, STEP + MEMBERS, "wizard", 700)
    _picture(browser, operator, site, "/portal/nodes", "nodes", 540, dark=True)
    _picture(
        browser, operator, site, f"/portal/tenants/{site.tenant['id']}/settings", "tenant", 900
    )
    _picture(browser, tenant, site, pool, "phone", 740, width=390)


def _picture(
    browser: Browser,
    token: str,
    site: Site,
    path: str,
    name: str,
    height: int,
    *,
    width: int = 1200,
    dark: bool = False,
    of: str | None = None,
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    visitor = Visitor(context, site.server.url)
    visitor.sign_in(token)
    tab: Page = visitor.open(path)
    place = FOLDER / f"{name}.png"
    if of is None:
        tab.screenshot(path=place)
    else:
        tab.locator(of).screenshot(path=place)
    context.close()


if __name__ == "__main__":
    main()
