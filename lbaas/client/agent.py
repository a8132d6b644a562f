"""The agents' client: the long poll for the desired state, and reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from uuid import UUID

import httpx

from lbaas.domain.addresses import Address
from lbaas.errors import BadState, Decommissioned, ServerUnavailable
from lbaas.wire.body import Kind, Update, decode, encode
from lbaas.wire.entries import Entries
from lbaas.wire.report import Report

# How long the server may hold a poll. Connecting and reading get a margin on top.
POLL_S = 25
_MARGIN_S = 10


@dataclass(frozen=True)
class Fetched:
    """A whole state, its digest proven. *agent* is the node or host that the token is for."""

    agent: UUID
    kind: Kind
    revision: int
    entries: Entries

    @property
    def digest(self) -> str:
        """The digest of the entries."""
        return self.entries.digest

    @property
    def body(self) -> bytes:
        """The state as the body of an answer that leads there from nothing."""
        whole = self.entries.at(self.entries.values)
        return encode(Update(self.kind, None, self.revision, whole))


class AgentClient:
    """Speaks to ``/v1/agent`` as the bearer of *token*. One thread at a time may use it."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        # httpx asks for zstd and gzip, and decodes them.
        self._http = httpx.Client(
            transport=transport,
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_MARGIN_S, read=POLL_S + _MARGIN_S),
        )

    def close(self) -> None:
        """Connections are given back."""
        self._http.close()

    def fetch(self, held: Fetched | None, *, whole: bool = False) -> Fetched | None:
        """The state, as soon as it is newer than *held*; None if it did not become so.

        Without *held* it is fetched whole and at once; if *whole*, whole and not older than *held*.
        Raises ServerUnavailable for no answer or an error, Decommissioned if the server has no such agent
        any more, BadState where what came does not lead to the state that the server proves: then ask
        for the whole.
        """
        params = {"timeout_s": POLL_S} if held is None else _since(held, whole=whole)
        answer = self._send("GET", "/v1/agent/state", params=params)
        return None if answer.status_code == httpx.codes.NOT_MODIFIED else _fetched(answer, held)

    def report(self, report: Report) -> None:
        """The server has the report. Raises ServerUnavailable."""
        self._send(
            "POST",
            "/v1/agent/report",
            content=report.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    def claim(self, addresses: Iterable[Address]) -> frozenset[Address]:
        """The server knows that the host's pods have *addresses*; those that are the host's now.

        Raises ServerUnavailable.
        """
        answer = self._send(
            "PUT", "/v1/agent/addresses", json={"addresses": sorted(map(str, addresses))}
        )
        try:
            return frozenset(map(ip_address, answer.json()["addresses"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ServerUnavailable(f"no addresses in the answer: {error!r}") from error

    def _send(self, method: str, path: str, **options: object) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)  # type: ignore[arg-type]  # httpx spells out every option
        except httpx.HTTPError as error:
            raise ServerUnavailable(f"{method} {path}: {error!r}") from error
        if answer.status_code == httpx.codes.GONE:
            raise Decommissioned(f"{method} {path}: {answer.text[:500]}")
        if answer.is_error:
            raise ServerUnavailable(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer


def _since(held: Fetched, *, whole: bool) -> dict[str, str | int]:
    since: dict[str, str | int] = {"timeout_s": POLL_S, "since": held.revision}
    return since | {"whole": "true"} if whole else since


def _fetched(answer: httpx.Response, held: Fetched | None) -> Fetched:
    try:
        agent = UUID(answer.headers["LBaaS-Agent"])
        expected = answer.headers["LBaaS-Digest"]
    except (KeyError, ValueError) as error:
        raise BadState(f"the answer's headers can't be used: {error!r}") from error
    update = decode(answer.content)
    entries = follow(held, update)
    if entries.digest != expected:
        raise BadState(f"the state's digest is {entries.digest}, the server said {expected}")
    return Fetched(agent, update.kind, update.revision, entries)


def follow(held: Fetched | None, update: Update) -> Entries:
    """The entries that *update* leads to. Raises BadState if it does not begin at *held*, or goes back."""
    if held is not None and update.revision < held.revision:
        raise BadState(
            f"revision {update.revision} is older than {held.revision}, which we hold: was the server's database"
            " restored? Then restart the agent, which takes what the server has"
        )
    if update.base is None:
        return Entries.of({}).after(update.delta)
    if held is None or (held.kind, held.revision) != (update.kind, update.base):
        raise BadState(f"a delta from revision {update.base}, which we don't hold")
    return held.entries.after(update.delta)
