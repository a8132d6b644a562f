"""The agents' client: the long poll for the desired state, and reports."""

from dataclasses import dataclass
from uuid import UUID

import httpx

from lbaas.errors import BadState, ServerUnavailable
from lbaas.wire.canonical import digest
from lbaas.wire.report import Report

# How long the server may hold a poll. Connecting and reading get a margin on top.
POLL_S = 25
_MARGIN_S = 10


@dataclass(frozen=True)
class Fetched:
    """A whole state as it came, its digest proven. *agent* is the node or host that the token is for."""

    agent: UUID
    revision: int
    digest: str
    body: bytes


class AgentClient:
    """Speaks to ``/v1/agent`` as the bearer of *token*. One thread at a time may use it."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            transport=transport,
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_MARGIN_S, read=POLL_S + _MARGIN_S),
        )

    def close(self) -> None:
        """Connections are given back."""
        self._http.close()

    def fetch(self, since: int | None) -> Fetched | None:
        """The state, as soon as it is newer than *since*; None if it did not become so.

        Raises ServerUnavailable for no answer or an error, BadState where body and digest differ.
        """
        params = {"timeout_s": POLL_S} if since is None else {"timeout_s": POLL_S, "since": since}
        answer = self._send("GET", "/v1/agent/state", params=params)
        return None if answer.status_code == httpx.codes.NOT_MODIFIED else _fetched(answer)

    def report(self, report: Report) -> None:
        """The server has the report. Raises ServerUnavailable."""
        self._send(
            "POST",
            "/v1/agent/report",
            content=report.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )

    def _send(self, method: str, path: str, **options: object) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)  # type: ignore[arg-type]  # httpx spells out every option
        except httpx.HTTPError as error:
            raise ServerUnavailable(f"{method} {path}: {error!r}") from error
        if answer.is_error:
            raise ServerUnavailable(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer


def _fetched(answer: httpx.Response) -> Fetched:
    expected = answer.headers.get("LBaaS-Digest")
    actual = digest(answer.content)
    if expected != actual:
        raise BadState(f"the state's digest is {actual}, the server said {expected}")
    try:
        return Fetched(
            agent=UUID(answer.headers["LBaaS-Agent"]),
            revision=int(answer.headers["LBaaS-Revision"]),
            digest=actual,
            body=answer.content,
        )
    except (KeyError, ValueError) as error:
        raise BadState(f"the answer's headers can't be used: {error!r}") from error
