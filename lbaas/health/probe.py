"""One check under way: a non-blocking socket, and what is said on it."""

import os
import select
import socket
from collections.abc import Callable

from lbaas.health.checks import Check
from lbaas.health.conversations.choice import conversation
from lbaas.health.sockets import STREAMS, connected
from lbaas.health.verdicts import PASSED, Result

_LARGEST_PIECE = 64 * 1024


class Probe:
    """Has set out once it is made. Raises OSError where it can't, BadState or ValueError for a bad monitor."""

    __slots__ = ("_connecting", "_socket", "_stream", "_talk", "_unsent", "descriptor")

    def __init__(self, check: Check, identifier: int, source_of: Callable[[Check], str]) -> None:
        self._talk = conversation(check, identifier)
        self._socket = connected(check, source_of)
        self.descriptor = self._socket.fileno()
        self._stream = check.monitor.kind in STREAMS
        self._connecting = True
        self._unsent = b""

    @property
    def awaits(self) -> int:
        """The event of epoll that it waits for."""
        return select.EPOLLOUT if self._connecting or self._unsent else select.EPOLLIN

    def advance(self) -> Result | None:
        """What came was heard, and what was to say is said; the result, once it is known. Raises OSError."""
        try:
            if self._connecting:
                return self._connect()
            if not self._unsent:
                return self._hear()
            self._speak()
        except BlockingIOError:
            pass
        return None

    def close(self) -> None:
        """The socket is given back, and its connection reset."""
        self._socket.close()

    def _connect(self) -> Result | None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self._connecting = False
        if self._talk is None:
            return PASSED
        said = self._talk.open()
        if not self._stream:
            self._socket.send(said)  # also an empty datagram asks
            return None
        self._unsent = said
        self._speak()
        return None

    def _speak(self) -> None:
        self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def _hear(self) -> Result | None:
        said = self._socket.recv(_LARGEST_PIECE)
        if self._talk is None:
            return PASSED
        reply = self._talk.hear(said)
        if reply.result is not None:
            return reply.result
        if self._stream and not said:
            return Result(passed=False, cause="closed before it had answered")
        self._unsent = reply.send
        return None
