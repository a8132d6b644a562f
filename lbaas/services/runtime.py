"""What one server process holds besides requests. All of it can be lost: Postgres has the truth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lbaas.persistence.database import Database
from lbaas.persistence.notices import Listener, Notice, Sender
from lbaas.services import upkeep
from lbaas.services.bells import Bells
from lbaas.services.oidc import Provider, Trust
from lbaas.services.rates import Rates
from lbaas.services.states import StateDirectory
from lbaas.services.tokens import TOKEN_START, TokenDirectory
from lbaas.services.work import ALL, CHANGE, TOKEN, Caller

# A notice can be lost with the replica that owed it: whoever waits looks again this often.
SAFETY_LOOK_S = 5.0


@dataclass
class Runtime:
    """The process's shared parts, wired together."""

    database: Database
    bells: Bells = field(default_factory=Bells)
    rate_limit: str | None = None
    trust: Trust | None = None

    def __post_init__(self) -> None:
        self.sender = Sender(self.database)
        self.listener = Listener(self.database, self._hear, self._doubt)
        self.states = StateDirectory(self.database, self.bells, lambda: self.listener.connected)
        self.tokens = TokenDirectory(self.database, lambda: self.listener.connected)
        self.provider = None if self.trust is None else Provider(self.trust, self.database)
        self.rates = Rates(self.rate_limit)

    async def caller(self, credential: str) -> Caller:
        """Who bears *credential*, a token of ours or a JWT. Raises Unauthenticated or RateLimited."""
        if self.provider is not None and not credential.startswith(TOKEN_START):
            caller = await self.provider.caller(credential)
        else:
            caller = await self.tokens.caller(credential)
        self.rates.count(caller.bearer)
        return caller

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Notices are sent and heard."""
        works = (
            self.sender.run(),
            self.listener.run(),
            self._look_now_and_then(),
            upkeep.run(self.database, self.tokens),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hear(self, notice: Notice) -> None:
        key = notice.topic, notice.subject
        if notice.topic == TOKEN:
            self._forget(notice.subject)
        elif notice.topic == CHANGE:
            self.states.changed(key, notice.revision)
        else:
            self.bells.ring(key)

    def _doubt(self) -> None:
        self._forget(ALL)
        self._look_again()

    def _forget(self, subject: str) -> None:
        self.tokens.forget(subject)
        if self.provider is not None and subject == ALL:
            self.provider.forget_tenants()

    def _look_again(self) -> None:
        self.states.doubt()
        self.bells.ring_all()

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAFETY_LOOK_S)
            self._look_again()
