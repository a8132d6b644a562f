"""TLS that ends at the server, with the agents' own client, as a machine comes to its certificate and keeps it."""

import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cryptography import x509

from lbaas.agent.enrolment import Introduction, enrol
from lbaas.agent.identity import held, new_key, signing_request
from lbaas.agent.renewal import Renewal
from lbaas.agent.settings import AgentSettings
from lbaas.domain.identities import Identity
from lbaas.domain.terms import Role
from lbaas.errors import LbaasError, ServerUnavailable
from lbaas.services.authority import Authority, parse_request
from lbaas.services.new_authority import new_authority, server_certificate

from .conftest import LiveServer, Site, start_server

YEAR = timedelta(days=365)


@dataclass
class Town:
    """A server that speaks TLS, always at one address, and lets no agent in without a certificate."""

    directory: Path
    dsn: str
    listening: socket.socket
    key: Path = Path()
    running: LiveServer | None = None
    names: dict[str, str] = field(default_factory=dict)

    @property
    def server(self) -> LiveServer:
        assert self.running is not None
        return self.running

    def authority(self, name: str) -> None:
        """There is a new one of this name."""
        certificate, key = new_authority(name, YEAR, datetime.now(UTC))
        (self.directory / f"{name}.key").write_text(key)
        self.names[name] = certificate

    def start(self, *trusted: str) -> None:
        """The first of the authorities signs, agents and the server; the others are trusted."""
        self.stop()
        bundle, key = self.directory / "ca.pem", self.directory / f"{trusted[0]}.key"
        bundle.write_text("".join(self.names[name] for name in trusted))
        self.key = key
        self.certify()
        self.running = start_server(
            self.directory,
            self.listening,
            LBAAS_DATABASE_URL=self.dsn,
            LBAAS_CA_CERT=str(bundle),
            LBAAS_CA_KEY=str(key),
            LBAAS_TLS_CERT=str(self.directory / "tls.pem"),
            LBAAS_TLS_KEY=str(self.directory / "tls.key"),
            LBAAS_AGENT_CERTIFICATES="required",
        )

    @property
    def signer(self) -> Authority:
        return Authority.load(self.directory / "ca.pem", self.key, YEAR)

    def certify(self) -> None:
        """The server's files hold a new certificate."""
        texts = server_certificate(self.signer, ["127.0.0.1"], YEAR, datetime.now(UTC))
        for name, text in zip(("tls.pem", "tls.key"), texts, strict=True):
            (self.directory / name).write_text(text)

    def shown(self) -> str:
        """The server's certificate."""
        return ssl.get_server_certificate(self.listening.getsockname())

    def ask(
        self, method: str, path: str, authorization: str, body: object = None
    ) -> httpx.Response:
        trust = ssl.create_default_context(cafile=self.directory / "ca.pem")
        headers = {"Authorization": authorization}
        url = f"{self.server.url}{path}"
        return httpx.request(method, url, json=body, headers=headers, verify=trust)

    def token(self, site: Site) -> tuple[str, str]:
        """A one-time token for the site's first node, and the pin that comes with it."""
        path = f"/v1/nodes/{site.nodes[0]['id']}/enrolments"
        made = self.ask("POST", path, f"Bearer {site.server.admin_token}", {}).json()
        return made["token"], made["authority_sha256"][0]

    def stop(self) -> None:
        if self.running is not None:
            assert self.running.stop(signal.SIGTERM) == 0
        self.running = None


@pytest.fixture(scope="module")
def town(server: LiveServer, short_dir: Callable[[], Path]) -> Iterator[Town]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Town(short_dir(), server.dsn, listening)
        made.authority("old")
        made.authority("new")
        made.start("old", "new")
        yield made
        made.stop()


@dataclass(frozen=True)
class Machine:
    """A node's, with its agent's files."""

    settings: AgentSettings

    def enrol(self, token: str, pin: str | None = None, file: Path | None = None) -> None:
        introduction = Introduction(pin, file)
        enrol(self.settings.server_url, token, self.settings.files, introduction)

    @property
    def due(self) -> datetime:
        """When its certificate is to be renewed."""
        found = held(self.settings.files)
        assert found is not None
        return found.due

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.settings.files.identity.read_bytes())

    def fetches(self) -> bool:
        with closing(self.settings.client()) as client:
            return client.fetch(None) is not None

    def turn(self, now: datetime) -> None:
        """What the agent does about its certificate at *now*."""
        with closing(self.settings.client()) as client:
            Renewal(self.settings.files, client).turn(now)


@pytest.fixture
def machine(town: Town, tmp_path: Path) -> Machine:
    return Machine(AgentSettings(town.server.url, None, tmp_path / "state", 1))


@pytest.fixture
def enrolled(town: Town, site: Site, machine: Machine) -> Machine:
    machine.enrol(*town.token(site))
    return machine


def test_a_machine_that_trusts_nobody_knows_the_server_by_its_pin(enrolled: Machine) -> None:
    assert enrolled.fetches()
    assert enrolled.settings.files.identity.stat().st_mode & 0o777 == 0o600


def test_a_wrong_pin_and_none_at_all_end_before_the_token_is_told(
    town: Town, site: Site, machine: Machine
) -> None:
    token, pin = town.token(site)

    with pytest.raises(LbaasError, match="not your server"):
        machine.enrol(token, "0" * 64)
    with pytest.raises(ServerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        machine.enrol(token)

    machine.enrol(token, pin)  # it was told to nobody
    assert machine.fetches()


def test_a_file_does_what_the_pin_does(town: Town, site: Site, machine: Machine) -> None:
    token, _ = town.token(site)

    machine.enrol(token, file=town.directory / "ca.pem")

    assert machine.fetches()


def test_a_token_alone_opens_nothing_here_and_a_persons_does(town: Town, site: Site) -> None:
    authorization = site.node()._http.headers["Authorization"]

    refused = town.ask("GET", "/v1/agent/state", authorization)
    listed = town.ask("GET", "/v1/nodes", f"Bearer {site.server.admin_token}")

    assert refused.status_code == 401
    assert refused.json()["type"] == "/errors/certificate-needed"
    assert listed.status_code == 200


def test_the_regular_poll_of_a_certified_agent_is_held_and_answered(enrolled: Machine) -> None:
    with closing(enrolled.settings.client()) as client:
        state = client.fetch(None)
        assert state is not None
        query = {"since": state.revision, "timeout_s": 0.1}
        answer = client._send("GET", "/v1/agent/state", params=query)

    assert answer.status_code == 304


def test_certificates_are_replaced_again_and_again_and_no_request_fails(enrolled: Machine) -> None:
    renewals = 20
    errors: list[Exception] = []
    fetched, over = threading.Semaphore(0), threading.Event()

    def fetch_all_the_time() -> None:
        with closing(enrolled.settings.client()) as client:
            while not over.is_set():
                try:
                    client.fetch(None)
                except LbaasError as error:
                    errors.append(error)
                fetched.release()

    load = [threading.Thread(target=fetch_all_the_time) for _ in range(3)]
    for each in load:
        each.start()
    seen = {enrolled.certificate.serial_number}
    for _ in range(renewals):
        assert fetched.acquire(timeout=60)
        enrolled.turn(enrolled.due)
        seen.add(enrolled.certificate.serial_number)
    over.set()
    for each in load:
        each.join()

    assert errors == []
    assert len(seen) == renewals + 1


def test_an_agent_whose_server_is_away_keeps_its_certificate(enrolled: Machine) -> None:
    before = enrolled.certificate
    with socket.socket() as silent:  # nobody listens
        silent.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        Machine(replace(enrolled.settings, server_url=url)).turn(enrolled.due)
    assert enrolled.certificate == before

    enrolled.turn(enrolled.due)

    assert enrolled.certificate != before
    assert enrolled.fetches()


def test_an_expired_certificate_opens_nothing_and_the_machine_is_enrolled_again(
    town: Town, site: Site, enrolled: Machine
) -> None:
    replace_by_expired(town, enrolled)
    with pytest.raises(ServerUnavailable):
        enrolled.fetches()

    enrolled.enrol(town.token(site)[0])  # whom to trust it knows

    assert enrolled.fetches()


def replace_by_expired(town: Town, machine: Machine) -> None:
    """As if the machine had been switched off for long."""
    key = new_key()
    identity = Identity(Role.NODE, uuid4())
    request = parse_request(signing_request(key), identity)
    issued = town.signer.issue(request, identity, datetime.now(UTC) - 2 * YEAR)
    machine.settings.files.identity.write_text(key + issued.pem)


def test_one_authority_takes_over_from_another_and_no_agent_is_enrolled_again(
    town: Town, enrolled: Machine
) -> None:
    before = enrolled.certificate.issuer
    other = next(name for name in town.names if f"CN={name}" != before.rfc4514_string())

    town.start(other, *town.names)
    assert enrolled.fetches()  # by its old certificate, at a server that has a new one
    enrolled.turn(enrolled.due)
    assert enrolled.certificate.issuer != before
    town.start(other)

    assert enrolled.fetches()


def test_a_new_certificate_of_the_server_is_used_without_a_restart(town: Town) -> None:
    before = town.shown()

    town.certify()

    deadline = time.monotonic() + 60
    while town.shown() == before:
        assert time.monotonic() < deadline
        time.sleep(0.5)
