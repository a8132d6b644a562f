"""The agents' client: the long poll for the desired state, and reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from lbaas.client import exchange
from lbaas.client.credentials import Credentials
from lbaas.client.retrying import retry_after_s
from lbaas.domain.addresses import Address
from lbaas.errors import BadState, Decommissioned, LbaasError, OtherPast, ServerUnavailable
from lbaas.wire.body import Kind, Update, decode, encode
from lbaas.wire.enrolment import Authorities, IssuedCertificate
from lbaas.wire.entries import Entries
from lbaas.wire.explanation import Answer, Questions
from lbaas.wire.lineage import SINCE_MADE_AT, Origin, follows
from lbaas.wire.report import Report
from lbaas.wire.state import Write
from lbaas.wire.usage import UsageAcknowledged, UsageReports

M = TypeVar("M", bound=BaseModel)

# How long the server may hold a poll. Connecting and reading get a margin on top.
POLL_S = 25
_MARGIN_S = 10

# Nothing is lost if nobody asks for long: seldom is cheap.
QUESTIONS_POLL_S = 55


@dataclass(frozen=True)
class Fetched:
    """A whole state, its digest proven. *agent* is the node or host that the token is for.

    *origin* is None if the server did not say. *writes* are the newest of those that led
    there from what was held, here or on disk; none are where nothing was.
    """

    agent: UUID
    kind: Kind
    revision: int
    entries: Entries
    origin: Origin | None = None
    writes: tuple[Write, ...] = ()

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
    """Speaks to ``/v1/agent`` with *credentials*, or as the bearer of a token. One thread at a time may use it.

    A certificate that was replaced is used from the next request on, over connections of its own.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | str,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if isinstance(credentials, str):
            credentials = Credentials(credentials)
        self._url, self._credentials, self._transport = url, credentials, transport
        self._stamp = credentials.stamp()
        self._http = self._connected()

    def _connected(self) -> httpx.Client:
        # httpx asks for zstd and gzip, and decodes them.
        return httpx.Client(
            transport=self._transport,
            base_url=self._url,
            headers=self._credentials.headers,
            timeout=httpx.Timeout(_MARGIN_S, read=POLL_S + _MARGIN_S),
            verify=self._credentials.context() if self._url.startswith("https:") else False,
        )

    def _current(self) -> httpx.Client:
        """Whose connections present what the files hold now. Raises ServerUnavailable where they can't be used."""
        try:
            stamp = self._credentials.stamp()
            if stamp != self._stamp:
                self._http.close()
                self._http, self._stamp = self._connected(), stamp
        except (LbaasError, OSError) as error:
            raise ServerUnavailable(str(error)) from error
        return self._http

    def close(self) -> None:
        """Connections are given back."""
        self._http.close()

    def fetch(
        self, held: Fetched | None, *, whole: bool = False, past: Fetched | None = None
    ) -> Fetched | None:
        """The state, as soon as it is newer than *held*; None if it did not become so.

        Without *held* it is fetched whole and at once; if *whole*, whole and not older than *held*. What was held
        in the *past* is not built upon, but if it is the same agent's, what comes must follow it, too.
        Raises ServerUnavailable for no answer or an error, Decommissioned if the server has no such agent
        any more, OtherPast if the server does not know what we hold, BadState where what came does not lead to
        the state that the server proves: then ask for the whole.
        """
        params: dict[str, str | int] = {"timeout_s": POLL_S}
        if held is not None:
            params |= _since(held, whole=whole)
        elif past is not None:
            params["past"] = past.revision
        answer = self._send("GET", "/v1/agent/state", params=params)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return None
        return _fetched(answer, held, past)

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

    def questions(self) -> Questions:
        """What the server asks, as soon as it does; nothing if it did not. Raises ServerUnavailable."""
        timeout = httpx.Timeout(_MARGIN_S, read=QUESTIONS_POLL_S + _MARGIN_S)
        params = {"timeout_s": QUESTIONS_POLL_S}
        answer = self._send("GET", "/v1/agent/questions", params=params, timeout=timeout)
        return _read(Questions, answer)

    def answer(self, question: UUID, answer: Answer) -> None:
        """The server has the answer. Raises ServerUnavailable."""
        self._send(
            "POST",
            f"/v1/agent/answers/{question}",
            content=answer.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    def usage(self, reports: UsageReports) -> UsageAcknowledged:
        """The ledger has what is acknowledged. Raises ServerUnavailable."""
        answer = self._send(
            "POST",
            "/v1/agent/usage",
            content=reports.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )
        return _read(UsageAcknowledged, answer)

    def authorities(self) -> Authorities:
        """Whom the server says to trust. Raises ServerUnavailable."""
        return _read(Authorities, self._send("GET", "/v1/agent/authorities"))

    def next_certificate(self, csr: str) -> IssuedCertificate:
        """The certificate that *csr*, PKCS #10 in PEM, asks for, over the present one. Raises ServerUnavailable."""
        return _read(
            IssuedCertificate, self._send("POST", "/v1/agent/certificate", json={"csr": csr})
        )

    def first_certificate(self, csr: str) -> IssuedCertificate:
        """The same over a one-time token, which is this client's. Raises ServerUnavailable."""
        return _read(
            IssuedCertificate, self._send("POST", "/v1/agent/enrolment", json={"csr": csr})
        )

    def _send(self, method: str, path: str, **options: object) -> httpx.Response:
        try:
            answer = self._current().request(method, path, **options)  # type: ignore[arg-type]  # httpx spells out every option
        except httpx.HTTPError as error:
            raise ServerUnavailable(f"{method} {path}: {error!r}") from error
        if answer.status_code == httpx.codes.GONE:
            raise Decommissioned(f"{method} {path}: {answer.text[:500]}")
        if answer.is_error:
            raise ServerUnavailable(
                f"{method} {path}: {answer.status_code} {answer.text[:500]}",
                retry_after_s(exchange.Answer(answer.status_code, answer.headers)) or 0.0,
            )
        return answer


def _read(model: type[M], answer: httpx.Response) -> M:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise ServerUnavailable(f"not a {model.__name__}: {error!r}") from error


def _since(held: Fetched, *, whole: bool) -> dict[str, str | int]:
    since: dict[str, str | int] = {"since": held.revision}
    return since | {"whole": "true"} if whole else since


def _fetched(answer: httpx.Response, held: Fetched | None, past: Fetched | None) -> Fetched:
    try:
        agent = UUID(answer.headers["LBaaS-Agent"])
        expected = answer.headers["LBaaS-Digest"]
        origin = Origin.of(answer.headers)
    except (KeyError, ValueError) as error:
        raise BadState(f"the answer's headers can't be used: {error!r}") from error
    update = decode(answer.content)
    before = held or past
    if before is not None and before.agent == agent:
        _require_same_past(before, update, origin, answer.headers.get(SINCE_MADE_AT))
    entries = follow(held, update)
    if entries.digest != expected:
        raise BadState(f"the state's digest is {entries.digest}, the server said {expected}")
    return Fetched(
        agent, update.kind, update.revision, entries, origin, _since_then(before, update.writes)
    )


def _since_then(before: Fetched | None, writes: Iterable[Write]) -> tuple[Write, ...]:
    """Those of *writes* that *before* does not hold yet; none that are news to nobody."""
    if before is None:
        return ()
    return tuple(write for write in writes if write.revision > before.revision)


def _require_same_past(
    before: Fetched, update: Update, origin: Origin | None, since_made_at: str | None
) -> None:
    if not follows(before.origin, origin, since_made_at):
        raise OtherPast(
            f"the server offers revision {update.revision} and knows nothing of {before.revision}, which we hold: "
            "was its database restored? We keep what we hold until an operator begins a new epoch"
        )
    if update.revision < before.revision and not _renewed(before, origin):
        raise BadState(f"revision {update.revision} is older than {before.revision}, which we hold")


def _renewed(before: Fetched | None, origin: Origin | None) -> bool:
    """An operator has begun a new epoch meanwhile: what he says counts, be it older."""
    if before is None or before.origin is None or origin is None:
        return False
    return before.origin.epoch != origin.epoch


def follow(held: Fetched | None, update: Update) -> Entries:
    """The entries that *update* leads to. Raises BadState if it does not begin at *held*."""
    if update.base is None:
        return Entries.of({}).after(update.delta)
    if held is None or (held.kind, held.revision) != (update.kind, update.base):
        raise BadState(f"a delta from revision {update.base}, which we don't hold")
    return held.entries.after(update.delta)
