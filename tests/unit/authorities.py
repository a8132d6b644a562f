"""An authority, and certificates by it, for tests of both ends."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx

from lbaas.agent.identity import new_key, signing_request
from lbaas.client.credentials import Files
from lbaas.domain.identities import Identity
from lbaas.domain.terms import Role
from lbaas.services.authority import Authority, parse_request
from lbaas.services.new_authority import new_authority

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
IDENTITY = Identity(Role.NODE, UUID(int=7))


def made_authority(
    directory: Path, *, lifetime: timedelta = 30 * DAY, years: int = 10, others: Sequence[str] = ()
) -> Authority:
    """A new one; *others*, in PEM, are trusted besides."""
    certificate, key = new_authority("test", years * 365 * DAY, START)
    files = directory / "ca.pem", directory / "ca.key"
    files[0].write_text(certificate + "".join(others))
    files[1].write_text(key)
    return Authority.load(*files, lifetime)


def certify(files: Files, authority: Authority, now: datetime) -> None:
    """An agent has a certificate since *now*."""
    key = new_key()
    request = parse_request(signing_request(key), IDENTITY)
    files.identity.write_text(key + authority.issue(request, IDENTITY, now).pem)


class Server:
    """Signs what it is asked to at *now*, or is away."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.now = START
        self.away = False
        self.lost = False
        self.asked: list[str] = []
        self.credentials: list[str | None] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path.rpartition("/")[2])
        self.credentials.append(request.headers.get("authorization"))
        if self.away:
            raise httpx.ConnectError("away")
        answer = self._answer(request)
        if self.lost:
            raise httpx.ReadError("lost")
        return answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        bundle = list(self.authority.bundle)
        if request.method == "GET":
            return httpx.Response(200, json={"certificates": bundle})
        csr = parse_request(json.loads(request.content)["csr"], IDENTITY)
        issued = self.authority.issue(csr, IDENTITY, self.now)
        body = {
            "agent_id": str(IDENTITY.id),
            "certificate": issued.pem,
            "expires_at": issued.expires_at.isoformat(),
            "authorities": bundle,
        }
        return httpx.Response(201, json=body)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)
