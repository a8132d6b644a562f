"""Who may come in, what others can't make him do, and what he can't see."""

from collections.abc import Iterator
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest

from lbaas.portal.fleet import SHEETS
from tests.integration.portal.conftest import make_vip, token_of
from tests.integration.server.conftest import LiveServer, Site

pytestmark = pytest.mark.anyio

Web = httpx.Client


def web(server: LiveServer) -> Web:
    return httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=30)


@pytest.fixture
def nobody(server: LiveServer) -> Iterator[Web]:
    with web(server) as client:
        yield client


@pytest.fixture
def tenant(site: Site) -> Iterator[Web]:
    """A member of the site's tenant, signed in."""
    with web(site.server) as client:
        sign_in(client, token_of(site.member()))
        yield client


def send(client: Web, path: str, /, **fields: str) -> httpx.Response:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.post(path, content=urlencode(fields), headers=kind)


def sign_in(client: Web, token: str, onward: str = "/portal/") -> httpx.Response:
    return send(client, "/portal/sign-in", token=token, next=onward)


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(nobody: Web, site: Site) -> None:
    led = nobody.get("/portal/pools?labels=a")
    assert led.status_code == 303
    assert led.headers["location"] == "/portal/sign-in?next=%2Fportal%2Fpools%3Flabels%3Da"
    back = sign_in(nobody, token_of(site.member()), "/portal/pools?labels=a")
    assert back.headers["location"] == "/portal/pools?labels=a"
    assert nobody.get("/portal").headers["location"] == "/portal/"


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example/", "/portal//evil.example", "/v1/vips"]
)
def test_the_sign_in_leads_nowhere_else(nobody: Web, site: Site, onward: str) -> None:
    assert sign_in(nobody, token_of(site.member()), onward).headers["location"] == "/portal/"


def test_an_unknown_token_and_an_agents_are_refused_beside_the_field(
    nobody: Web, site: Site
) -> None:
    for token, reason in (
        ("lbaas_wrong", "unknown, expired or revoked"),
        (token_of(site.node()), "for a node agent"),
    ):
        answer = sign_in(nobody, token)
        assert answer.status_code == 422
        assert reason in answer.text
        assert token not in answer.text
        assert not nobody.cookies


def test_the_cookie_is_no_token_and_no_script_can_read_it(nobody: Web, site: Site) -> None:
    token = token_of(site.member())
    cookie = sign_in(nobody, token).headers["set-cookie"]
    assert token not in cookie
    flags = {flag.strip() for flag in cookie.lower().split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags


def test_behind_https_the_cookie_never_leaves_it(nobody: Web, site: Site) -> None:
    nobody.headers["X-Forwarded-Proto"] = "https"
    cookie = sign_in(nobody, token_of(site.member())).headers["set-cookie"]
    assert cookie.startswith("__Host-lbaas_session=")
    assert "; Secure" in cookie


async def test_the_database_holds_neither_cookie_nor_token(nobody: Web, site: Site) -> None:
    token = token_of(site.member())
    sign_in(nobody, token)
    connection = await asyncpg.connect(site.server.dsn)
    rows = await connection.fetch("SELECT cookie_sha256, sealed_token FROM portal_session")
    await connection.close()
    kept = b"".join(part for row in rows for part in row.values())
    assert rows
    assert token.encode() not in kept
    assert nobody.cookies["lbaas_session"].encode() not in kept


def test_a_sign_in_begins_a_new_session_and_ends_the_one_before(nobody: Web, site: Site) -> None:
    sign_in(nobody, token_of(site.member()))
    first = nobody.cookies["lbaas_session"]
    sign_in(nobody, token_of(site.member()))
    assert nobody.cookies["lbaas_session"] != first
    with web(site.server) as thief:
        thief.cookies.set("lbaas_session", first)
        assert thief.get("/portal/vips").status_code == 303


def test_a_sign_out_ends_the_session_for_whoever_has_its_cookie(tenant: Web, site: Site) -> None:
    cookie = tenant.cookies["lbaas_session"]
    assert tenant.get("/portal/vips").status_code == 200
    send(tenant, "/portal/sign-out")
    assert "lbaas_session" not in tenant.cookies
    with web(site.server) as thief:
        thief.cookies.set("lbaas_session", cookie)
        assert thief.get("/portal/vips").status_code == 303


async def test_an_ended_session_leads_a_page_that_refreshes_itself_to_the_sign_in(
    tenant: Web, site: Site
) -> None:
    connection = await asyncpg.connect(site.server.dsn)
    await connection.execute("UPDATE portal_session SET idle_until = now() - interval '1 second'")
    await connection.close()
    answer = tenant.get("/portal/vips", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == "/portal/sign-in"


def test_a_revoked_token_ends_its_sessions(nobody: Web, site: Site) -> None:
    made = site.admin.post(
        "/v1/tokens", {"name": "t", "role": "member", "tenant_id": site.tenant["id"]}
    )
    sign_in(nobody, made["token"])
    assert nobody.get("/portal/vips").status_code == 200
    site.admin.delete(f"/v1/tokens/{made['id']}")
    assert nobody.get("/portal/vips").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_what_another_site_sends_is_not_done(
    tenant: Web, site: Site, headers: dict[str, str]
) -> None:
    member = site.member()
    pool = make_vip(site, member, "10.0.20.11")["listeners"][0]["pool_id"]
    (one,) = member.get(f"/v1/pools/{pool}/members")["items"]
    path = f"/portal/pools/{pool}/members/{one['id']}"
    tenant.headers.update(headers)
    assert send(tenant, path, action="drain").status_code == 403
    assert member.get(f"/v1/pools/{pool}/members/{one['id']}")["admin_state"] == "active"
    tenant.headers.update({"Origin": site.server.url})
    tenant.headers.pop("Sec-Fetch-Site", None)
    assert send(tenant, path, action="drain").status_code == 303
    assert member.get(f"/v1/pools/{pool}/members/{one['id']}")["admin_state"] == "drained"


def test_another_tenants_objects_are_pages_that_are_not_there(tenant: Web, site: Site) -> None:
    prefixes = {"backend_prefixes": ["10.0.20.0/24"]}
    other = site.admin.post("/v1/tenants", {"name": f"o-{site.tenant['name']}", **prefixes})
    client = site.client("member", tenant_id=other["id"])
    vip = make_vip(site, client, "10.0.20.99")
    pool = vip["listeners"][0]["pool_id"]
    (member,) = client.get(f"/v1/pools/{pool}/members")["items"]
    for path in (
        f"/portal/vips/{vip['id']}",
        f"/portal/vips/{vip['id']}/removal",
        f"/portal/pools/{pool}",
    ):
        answer = tenant.get(path)
        assert answer.status_code == 404, path
        assert vip["name"] not in answer.text
    for path in (
        f"/portal/vips/{vip['id']}/removal",
        f"/portal/pools/{pool}/members/{member['id']}",
        f"/portal/pools/{pool}/members/{member['id']}/removal",
    ):
        assert send(tenant, path, action="drain").status_code == 404, path
    assert client.get(f"/v1/vips/{vip['id']}")["name"] == vip["name"]
    assert client.get(f"/v1/pools/{pool}/members/{member['id']}")["admin_state"] == "active"
    assert vip["name"] not in tenant.get("/portal/vips").text


def test_operators_pages_are_not_there_for_tenants(tenant: Web, site: Site) -> None:
    for page in ("nodes", "peers", "address-pools", "tenants", "tokens", "backend-hosts"):
        assert tenant.get(f"/portal/{page}").status_code == 404
    for sheet in SHEETS:
        assert tenant.get(f"/portal/{sheet.path}/new").status_code == 404
        assert send(tenant, f"/portal/{sheet.path}", name="x").status_code == 404
    mine = f"/portal/tenants/{site.tenant['id']}"
    assert tenant.get(f"{mine}/settings").status_code == 404
    assert send(tenant, f"{mine}/settings", **{"quotas.vips": ""}).status_code == 404
    assert send(tenant, f"{mine}/removal").status_code == 404
    node = f"/portal/nodes/{site.nodes[0]['id']}"
    assert send(tenant, node, admin_state="drained").status_code == 404


def test_a_reader_sees_no_buttons_and_what_he_sends_is_refused(nobody: Web, site: Site) -> None:
    pool = make_vip(site, site.member(), "10.0.20.11")["listeners"][0]["pool_id"]
    sign_in(nobody, token_of(site.client("reader", tenant_id=site.tenant["id"])))
    page = nobody.get(f"/portal/pools/{pool}")
    assert page.status_code == 200
    assert "Drain" not in page.text
    assert send(nobody, f"/portal/pools/{pool}/members", address="10.0.20.12").status_code >= 400


def test_a_button_that_is_refused_says_why_in_the_page_and_the_page_goes_on(
    nobody: Web, site: Site
) -> None:
    member = site.member()
    pool = make_vip(site, member, "10.0.20.11")["listeners"][0]["pool_id"]
    (one,) = member.get(f"/v1/pools/{pool}/members")["items"]
    sign_in(nobody, token_of(site.client("reader", tenant_id=site.tenant["id"])))
    page = f"/portal/pools/{pool}"
    nobody.headers.update({"HX-Request": "true", "HX-Current-URL": f"{site.server.url}{page}?a=b"})
    answer = send(nobody, f"{page}/members/{one['id']}", action="drain")
    assert answer.status_code == 403
    assert "not for reader" in answer.text
    assert f'hx-get="{page}?a=b"' in answer.text


def test_a_button_leads_back_to_the_page_of_the_list_that_it_stands_on(
    tenant: Web, site: Site
) -> None:
    member = site.member()
    pool = make_vip(site, member, "10.0.20.11")["listeners"][0]["pool_id"]
    (one,) = member.get(f"/v1/pools/{pool}/members")["items"]
    page = f"/portal/pools/{pool}"
    for shown, led in ((f"{page}?cursor=c", f"{page}?cursor=c"), ("/portal/vips", page)):
        tenant.headers["HX-Current-URL"] = site.server.url + shown
        answer = send(tenant, f"{page}/members/{one['id']}", action="drain")
        assert answer.headers["location"] == led


def test_every_page_says_what_it_may_load_and_is_kept_nowhere(tenant: Web) -> None:
    for path in ("/portal/", "/portal/sign-in", "/portal/vips/none", "/portal/nowhere"):
        headers = tenant.get(path).headers
        assert (
            "default-src 'none'; script-src 'self'; style-src 'self'"
            in headers["content-security-policy"]
        )
        assert headers["cache-control"] == "no-store"
    assert "unsafe" not in headers["content-security-policy"]


async def test_while_the_database_fails_a_page_says_so_and_its_refreshes_go_on(
    tenant: Web, site: Site
) -> None:
    connection = await asyncpg.connect(site.server.dsn)
    await connection.execute("ALTER TABLE portal_session RENAME TO away")
    try:
        page = tenant.get("/portal/vips")
        part = tenant.get("/portal/vips", headers={"HX-Request": "true"})
    finally:
        await connection.execute("ALTER TABLE away RENAME TO portal_session")
        await connection.close()
    assert page.status_code == part.status_code == 500
    assert page.headers["x-request-id"] in page.text
    assert 'hx-get="/portal/vips" hx-trigger="every 5s"' in part.text
    assert tenant.get("/portal/vips").status_code == 200


def test_what_somebody_else_wrote_is_text(tenant: Web, site: Site) -> None:
    found = tenant.get("/portal/vips", params={"name": '"><script>alert(1)</script>'})
    assert found.status_code == 422
    assert "<script>alert" not in found.text


def test_what_was_done_at_the_portal_is_in_the_trail_with_its_request(
    tenant: Web, site: Site
) -> None:
    member = site.member()
    pool = make_vip(site, member, "10.0.20.11")["listeners"][0]["pool_id"]
    sent = send(tenant, f"/portal/pools/{pool}/members", address="10.0.20.12", weight="3")
    found = member.get("/v1/events", request_id=sent.headers["x-request-id"])["items"]
    assert [(event["action"], event["object_name"]) for event in found] == [
        ("create", "10.0.20.12")
    ]
