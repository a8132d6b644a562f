"""A server made of prepared answers, for both clients."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from lbaas.client.api import ApiClient
from lbaas.client.asynchronous import AsyncApiClient
from lbaas.client.retrying import Retries

Prepared = httpx.Response | Exception
Call = Callable[[Any], Any]


@dataclass
class Recorded:
    """Answers in turn, the last one for ever, and keeps what it was asked and how long was slept."""

    answers: Sequence[Prepared]
    asked: list[httpx.Request] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        prepared = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(request)
        if isinstance(prepared, Exception):
            raise prepared
        return prepared

    def sync(self, call: Call, retries: Retries | None = None) -> Any:
        """What *call* makes of a synchronous client."""
        transport = httpx.MockTransport(self)
        with ApiClient(
            "http://server", "secret", 30, transport, retries, self.slept_s.append
        ) as api:
            made = call(api)
            return list(made) if isinstance(made, Iterator) else made

    def asynchronous(self, call: Call, retries: Retries | None = None) -> Any:
        """The same of an asynchronous one; an iterator is read to its end."""

        async def sleep(seconds: float) -> None:
            self.slept_s.append(seconds)

        async def run() -> Any:
            transport = httpx.MockTransport(self)
            async with AsyncApiClient(
                "http://server", "secret", 30, transport, retries, sleep
            ) as api:
                made = call(api)
                return await made if isinstance(made, Awaitable) else [one async for one in made]

        return asyncio.run(run())


def lost(kind: type[httpx.TransportError] = httpx.ReadTimeout) -> httpx.TransportError:
    return kind("gone")
