"""NOTIFY and LISTEN: what a replica tells the others, and hears from them, itself included.

Sent after the writing transaction's commit, in one of its own: inside, NOTIFY costs a writer a third of its
throughput. A notice can therefore be lost with the server that owed it; whoever waits on one also looks
for himself now and then. The rare one that nobody would look for goes with its transaction (:func:`notify`).
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lbaas.persistence.database import Database
from lbaas.persistence.hot import Statement
from lbaas.persistence.outages import DATABASE_ERRORS

CHANNEL = "lbaas"
RETRY_S = 0.5
# After each batch. The first notice after a silence goes at once; under load a batch is of many, each of which would
# otherwise be a commit of its own that writers' commits wait for, and wake every replica.
GATHER_S = 0.02
KEEPALIVE_S = 5.0
# Nobody waits for the disk, nor for a standby: a crash loses notices in any case.
NOTIFY = Statement(
    "SELECT pg_notify(:channel, payload) FROM set_config('synchronous_commit', 'off', TRUE), "
    "json_array_elements_text(:payloads) AS payload"
)
_WITHIN = text("SELECT pg_notify(:channel, :payload)")

log = structlog.get_logger()


@dataclass(frozen=True)
class Notice:
    """*subject* is an id; *revision* the least one that a reader shall look for, or 0."""

    topic: str
    subject: str
    revision: int = 0

    def encode(self) -> str:
        return f"{self.topic} {self.subject} {self.revision}"

    @classmethod
    def decode(cls, payload: str) -> "Notice":
        topic, subject, revision = payload.split(" ")
        return cls(topic, subject, int(revision))


async def notify(session: AsyncSession, notice: Notice) -> None:
    """The notice is sent if *session*'s transaction commits."""
    await session.execute(_WITHIN, {"channel": CHANNEL, "payload": notice.encode()})


class Sender:
    """Sends notices soon, many in one transaction. Run :meth:`run` as a task."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owed: dict[tuple[str, str], Notice] = {}
        self._wake = asyncio.Event()
        self.sent = 0

    def send(self, notices: Iterable[Notice]) -> None:
        """The notices go out with the next batch; of several on one subject the newest."""
        for notice in notices:
            key = notice.topic, notice.subject
            before = self._owed.get(key)
            self._owed[key] = notice if before is None else max(before, notice, key=_revision)
            self._wake.set()

    async def run(self) -> None:
        """Sends for ever; what can't be sent waits for Postgres to come back."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            owed, self._owed = self._owed, {}
            try:
                await self._notify([notice.encode() for notice in owed.values()])
                self.sent += len(owed)
                await asyncio.sleep(GATHER_S)
            except DATABASE_ERRORS as error:
                log.warning("notices not sent yet", count=len(owed), error=str(error))
                await asyncio.sleep(RETRY_S)
                self.send(owed.values())

    async def _notify(self, payloads: list[str]) -> None:
        await self._database.hot.rows(NOTIFY, channel=CHANNEL, payloads=json.dumps(payloads))


def _revision(notice: Notice) -> int:
    return notice.revision


class Listener:
    """One LISTEN connection that comes back after a loss. Run :meth:`run` as a task.

    *on_notice* is called for each notice, *on_gap* whenever some may have been missed: at the start of
    each connection and when one is lost.
    """

    def __init__(
        self,
        database: Database,
        on_notice: Callable[[Notice], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._database = database
        self._on_notice = on_notice
        self._on_gap = on_gap
        self.connected = False
        self.heard = 0

    async def run(self) -> None:
        """Listens for ever."""
        while True:
            with suppress(*DATABASE_ERRORS):
                await self._listen()
            if self.connected:
                log.warning("lost the LISTEN connection")
            self.connected = False
            self._on_gap()
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        connection = await self._database.connect()
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            await connection.add_listener(CHANNEL, self._hear)
            self.connected = True
            self._on_gap()
            while not closed.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), KEEPALIVE_S)
                await connection.execute("SELECT 1", timeout=KEEPALIVE_S)
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self.heard += 1
        self._on_notice(Notice.decode(str(payload)))
