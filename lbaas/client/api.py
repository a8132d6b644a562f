"""The REST client for tenants and operators."""

from collections.abc import Mapping
from typing import Any, Self

import httpx

from lbaas.errors import LbaasError, ServerUnavailable

Json = dict[str, Any]


class ApiProblem(LbaasError):
    """The API refused: *problem* is its RFC 9457 body."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem


class ApiClient:
    """Speaks ``/v1`` as the bearer of *token*. Close it, or use it as a context manager.

    Every method raises ApiProblem for an answer ≥ 400 and ServerUnavailable if there was none.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float = 30,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            transport=transport,
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Connections are given back."""
        self._http.close()

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """Create, or act; the answer's body."""
        return self._send("POST", path, json=body)

    def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """Change the fields named in *body*."""
        return self._send("PATCH", path, json=body)

    def get(self, path: str, **params: str | float) -> Json:
        """Read one object or one page."""
        return self._send("GET", path, params=params)

    def delete(self, path: str, **params: str | float) -> Json:
        """Delete; the answer's body, empty if it has none."""
        return self._send("DELETE", path, params=params)

    def _send(self, method: str, path: str, **options: Any) -> Json:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ServerUnavailable(f"{method} {path}: {error}") from error
        if answer.is_error:
            raise ApiProblem(answer.status_code, _problem(answer))
        return _body(answer)


def _body(answer: httpx.Response) -> Json:
    """The answer's JSON object, empty if it has none."""
    if not answer.content:
        return {}
    try:
        return dict(answer.json())
    except (ValueError, TypeError) as error:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise ServerUnavailable(f"{asked}: not a JSON object: {answer.text[:200]!r}") from error


def _problem(answer: httpx.Response) -> Json:
    """The problem in *answer*; something alike if a proxy wrote it."""
    try:
        body = answer.json()
    except ValueError:
        return {"title": answer.reason_phrase, "detail": answer.text[:200]}
    return body if isinstance(body, dict) else {"title": answer.reason_phrase, "detail": str(body)}
