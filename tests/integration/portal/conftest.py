"""A live server, a tenant's site on it, and a real browser."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from lbaas.client.api import ApiClient, Json
from tests.integration.server.conftest import (
    LiveServer,
    Site,
    listener,
    make_site,
    short_dir,
    start_server,
    unique,
)

__all__ = ["short_dir"]  # a fixture of the server's own tests

PATIENCE_MS = 60_000  # of a slow, busy machine
expect.set_options(timeout=PATIENCE_MS)

# A page that was refused is shown with what is wrong; the browser notes its status.
EXPECTED = "the server responded with a status of 4"


@pytest.fixture(scope="module")
def server(short_dir: Callable[[], Path]) -> Iterator[LiveServer]:
    """With one site: a tenant who names no pool gets his address from that one, and its nodes report."""
    running = start_server(short_dir())
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def admin(server: LiveServer) -> Iterator[ApiClient]:
    with ApiClient(server.url, server.admin_token) as client:
        yield client


@pytest.fixture(scope="module")
def site(server: LiveServer, admin: ApiClient) -> Iterator[Site]:
    with make_site(server, admin) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium here: as root, apt-get install chromium")
    # Closed with the module: playwright's own event loop would be in the way of asynchronous tests.
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


@dataclass
class Visitor:
    """Somebody's browser; *complaints* is what it had to say of our pages."""

    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """A new tab on *path*."""
        tab = self.context.new_page()
        tab.on("console", self._hear)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.goto(self.url + path)
        return tab

    def sign_in(self, token: str) -> Page:
        tab = self.open("/portal/sign-in")
        tab.get_by_label("Token").fill(token)
        tab.get_by_role("button", name="Sign in").click()
        tab.wait_for_url("**/portal/")
        return tab

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and EXPECTED not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def visitor(browser: Browser, server: LiveServer) -> Iterator[Visitor]:
    """Nobody yet. A page that breaks its own policy, or a script of ours that fails, fails the test."""
    made = Visitor(browser.new_context(), server.url)
    made.context.set_default_timeout(PATIENCE_MS)
    yield made
    made.context.close()
    assert made.complaints == []


def token_of(client: ApiClient) -> str:
    return str(client._http.headers["Authorization"]).removeprefix("Bearer ")


def make_vip(site: Site, client: ApiClient, *members: str, name: str = "shop") -> Json:
    body = {"name": unique(name), "listeners": [listener("http", 80, *members)]}
    return client.post("/v1/vips", {**body, "address_pool_id": site.v4["id"]})


def report(site: Site, index: int, revision: int, **other: object) -> None:
    """Node *index* says that it has applied *revision*."""
    said = {"boot": str(uuid4()), "sequence": 1, "revision": revision, "digest": "", "changes": 0}
    site.node(index).post("/v1/agent/report", {**said, "repaired": 0, **other})
