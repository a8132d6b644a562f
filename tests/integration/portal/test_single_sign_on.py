"""People signed in by an identity provider: in a browser, and what others could try."""

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.integration.portal.conftest import PATIENCE_MS, Visitor
from tests.integration.portal.provider import API, CLIENT_ID, CLIENT_SECRET, Provider, provider
from tests.integration.server.conftest import LiveServer, Site, start_server
from tests.integration.server.test_oidc import new_key


@pytest.fixture(scope="module")
def signing() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture(scope="module")
def trusting(
    server: LiveServer, signing: Provider, short_dir: Callable[[], object]
) -> Iterator[LiveServer]:
    """A replica whose portal sends people to the provider."""
    running = start_server(
        short_dir(),  # type: ignore[arg-type]  # a path
        LBAAS_DATABASE_URL=server.dsn,
        LBAAS_OIDC_ISSUER=signing.url,
        LBAAS_OIDC_AUDIENCE=API,
        LBAAS_OIDC_CLIENT_ID=CLIENT_ID,
        LBAAS_OIDC_CLIENT_SECRET=CLIENT_SECRET,
        LBAAS_OIDC_NAME="Example ID",
    )
    yield running
    assert running.stop() == 0


@pytest.fixture
def ann(signing: Provider, site: Site) -> None:
    """The provider says that she is of the site's tenant, and tells the truth."""
    signing.claims = {"lbaas_role": "member", "lbaas_tenant": site.tenant["name"]}
    signing.nonce = None


@pytest.fixture
def browser_of_hers(browser: Browser, trusting: LiveServer) -> Iterator[Visitor]:
    made = Visitor(browser.new_context(), trusting.url)
    made.context.set_default_timeout(PATIENCE_MS)
    yield made
    made.context.close()
    assert made.complaints == []


@pytest.fixture
def web(trusting: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=trusting.url, timeout=60) as client:
        yield client


def begun(web: httpx.Client, onward: str = "/portal/") -> dict[str, str]:
    """What the provider is asked when a sign-in begins."""
    sent = web.get("/portal/sign-in/provider", params={"next": onward})
    assert sent.status_code == 303
    return dict(parse_qsl(urlsplit(sent.headers["location"]).query))


def came_back(web: httpx.Client, location: str) -> httpx.Response:
    parts = urlsplit(location)
    return web.get(f"{parts.path}?{parts.query}")


def sign_in(web: httpx.Client, signing: Provider, onward: str = "/portal/") -> httpx.Response:
    return came_back(web, signing.consent(begun(web, onward)))


@pytest.mark.usefixtures("ann")
def test_who_is_known_to_the_provider_comes_to_the_page_that_he_wanted(
    browser_of_hers: Visitor, site: Site
) -> None:
    tab = browser_of_hers.open("/portal/vips")
    tab.get_by_role("link", name="Sign in with Example ID").click()
    tab.get_by_role("link", name="Continue as Ann").click()
    tab.wait_for_url("**/portal/vips")
    expect(tab.get_by_text(re.compile("Ann"))).to_be_visible()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    tab.goto(browser_of_hers.url + "/portal/vips")
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.usefixtures("ann")
def test_neither_page_nor_cookie_shows_a_token(web: httpx.Client, signing: Provider) -> None:
    answer = sign_in(web, signing, "/portal/pools")
    assert answer.headers["location"] == "/portal/pools"
    assert set(web.cookies) == {"lbaas_session"}
    kept = answer.headers.get_list("set-cookie")
    assert all("httponly" in cookie.lower() for cookie in kept)
    assert not any("eyJ" in cookie for cookie in kept)
    assert web.get("/portal/pools").status_code == 200


@pytest.mark.usefixtures("ann")
def test_a_code_that_another_browser_asked_for_signs_nobody_in(
    web: httpx.Client, signing: Provider, trusting: LiveServer
) -> None:
    with httpx.Client(base_url=trusting.url, timeout=60) as mallory:
        link = signing.consent(begun(mallory))
    for own in (False, True):  # without, and with a sign-in of one's own under way
        if own:
            begun(web)
        refused = came_back(web, link)
        assert refused.status_code == 422
        assert "begin again" in refused.text
        assert "lbaas_session" not in web.cookies


@pytest.mark.usefixtures("ann")
def test_what_the_provider_refuses_is_told(web: httpx.Client, signing: Provider) -> None:
    asked = begun(web)
    said = {"state": asked["state"], "error": "access_denied", "error_description": "not <you>"}
    refused = web.get("/portal/sign-in/return", params=said)
    assert "refuses: not &lt;you&gt;" in refused.text

    asked = begun(web)
    used = signing.consent(asked)
    signing.codes.clear()
    assert "no such code" in came_back(web, used).text
    assert "lbaas_session" not in web.cookies


@pytest.mark.usefixtures("ann")
def test_an_id_token_for_another_sign_in_opens_nothing(
    web: httpx.Client, signing: Provider
) -> None:
    signing.nonce = "of yesterday"
    assert "belongs to another sign-in" in sign_in(web, signing).text
    assert "lbaas_session" not in web.cookies


@pytest.mark.usefixtures("ann")
def test_who_has_no_role_here_is_told_so(web: httpx.Client, signing: Provider) -> None:
    signing.claims = {"lbaas_role": None}
    assert "lbaas_role is none of" in sign_in(web, signing).text


@pytest.mark.usefixtures("ann")
def test_a_jwt_that_holds_no_more_is_renewed_until_the_provider_refuses(
    web: httpx.Client, signing: Provider, trusting: LiveServer
) -> None:
    sign_in(web, signing)
    with httpx.Client(base_url=trusting.url, timeout=60) as other:
        sign_in(other, signing)
        signing.keys[:] = [new_key()]  # which ends every JWT before
        until = time.monotonic() + 60
        bearer = {"Authorization": f"Bearer {signing.token(aud=API)}"}
        while web.get("/v1/vips", headers=bearer).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert web.get("/portal/vips").status_code == 200
        assert web.get("/portal/vips").status_code == 200
        signing.refreshes.clear()
        assert other.get("/portal/vips").headers["location"].startswith("/portal/sign-in?")


def test_without_a_provider_there_is_no_such_way(server: LiveServer) -> None:
    assert "Sign in with" not in httpx.get(f"{server.url}/portal/sign-in").text
    for path in ("provider", "return"):
        assert httpx.get(f"{server.url}/portal/sign-in/{path}").status_code == 404
