"""The HTTP API as the portal calls it: the same application, in the same process, without a socket."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp

from lbaas.client.api import ApiProblem

Json = dict[str, Any]
T = TypeVar("T")
DRY_RUN = {"dry_run": "true"}
PAGE = 100


@dataclass(frozen=True)
class Gateway:
    """Calls *http*'s API as whoever bears *token*. Every call raises ApiProblem for an answer ≥ 400."""

    http: httpx.AsyncClient
    token: str
    request_id: str

    async def get(self, path: str, **params: str | int | None) -> Json:
        """One object or one page. A parameter that is None or empty is not sent."""
        asked = {name: value for name, value in params.items() if value not in (None, "")}
        return await self._send("GET", path, params=asked)

    async def post(self, path: str, body: Mapping[str, object], *, key: str | None = None) -> Json:
        """Create; a repetition with the same *key* is answered as the first time."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self._send("POST", path, json=body, headers=headers)

    async def patch(
        self, path: str, body: Mapping[str, object], *, if_match: str | None = None
    ) -> Json:
        """Change the fields in *body*; with the ETag *if_match* only if nobody else has changed anything."""
        headers = {} if if_match is None else {"If-Match": if_match}
        return await self._send("PATCH", path, json=body, headers=headers)

    async def tagged(self, path: str) -> tuple[Json, str]:
        """One object, and its ETag."""
        answer = await self._answer("GET", path)
        return answer.json(), answer.headers["ETag"]

    async def delete(self, path: str, **params: str) -> Json:
        """Remove, or with ``dry_run`` say what would go."""
        return await self._send("DELETE", path, params=params)

    async def plan(self, path: str, body: Mapping[str, object]) -> Json:
        """The object as a POST would make it; nothing is made."""
        return await self._send("POST", path, json=body, params=DRY_RUN)

    async def all(self, path: str, **params: str | int | None) -> list[Json]:
        """Every object of a list, page by page."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, limit=PAGE, cursor=cursor, **params)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    async def _send(self, method: str, path: str, **options: Any) -> Json:
        answer = await self._answer(method, path, **options)
        return dict(answer.json()) if answer.content else {}

    async def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "X-Request-Id": self.request_id,
            **options.pop("headers", {}),
        }
        answer = await self.http.request(method, f"/v1/{path}", headers=headers, **options)
        if answer.is_error:
            raise ApiProblem(answer.status_code, answer.json() if answer.content else {})
        return answer


def in_process(api: ASGIApp) -> httpx.AsyncClient:
    """A client of *api* itself."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://portal.invalid")


async def together(*calls: Awaitable[T]) -> list[T]:
    """The answers of independent calls, in their order."""
    return list(await asyncio.gather(*calls))
