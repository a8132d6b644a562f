"""The server is told which addresses this machine's pods have, beside the data path."""

import threading
import time

import structlog

from lbaas.agent.newest import Newest
from lbaas.agent.pauses import Pauses
from lbaas.client.agent import AgentClient
from lbaas.domain.addresses import Address
from lbaas.errors import ServerUnavailable

log = structlog.get_logger()

# An address that another machine had at the time may be free by now; a server may have lost its database.
_AGAIN_S = 30.0


class Claims:
    """Sends the newest set, and again now and then. A server that is away delays nobody."""

    def __init__(self, client: AgentClient) -> None:
        self._client = client
        self._wanted: Newest[frozenset[Address]] = Newest()
        self._put: frozenset[Address] | None = None
        self._at_s = 0.0

    def start(self) -> None:
        """A thread sends from now on."""
        threading.Thread(target=self._send_forever, daemon=True).start()

    def put(self, addresses: frozenset[Address]) -> None:
        """*addresses* are what the server shall know."""
        now_s = time.monotonic()
        if addresses != self._put or now_s - self._at_s > _AGAIN_S:
            self._put, self._at_s = addresses, now_s
            self._wanted.put(addresses)

    def _send_forever(self) -> None:
        pauses = Pauses()
        wanted: frozenset[Address] | None = None
        while True:
            newer = self._wanted.take(_AGAIN_S if wanted is None else pauses.next(0.5))
            wanted = wanted if newer is None else newer
            if wanted is None:
                continue
            try:
                self._client.claim(wanted)
                wanted = None
                pauses.reset()
            except ServerUnavailable as error:
                log.warning("addresses not told", error=str(error))
            except Exception:  # the thread must not die of what nobody foresaw
                log.exception("telling addresses broke off")
