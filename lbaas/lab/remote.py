"""The controller's end of the connection to the fabric."""

import contextlib
import itertools
import json
import socket
import threading
from concurrent.futures import Future
from typing import Any, TypeVar

from lbaas.errors import LabError
from lbaas.lab.messages import Hello, Message
from lbaas.lab.requests import Request, encode_request

A = TypeVar("A", bound=Message)

GRACE_S = 30  # beyond what the request itself may take, for a guest on a busy machine


class Remote:
    """Sends requests, matches the answers. Any thread may ask; each waits for its own answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._gone = False
        self.hello = Hello.model_validate(json.loads(self._lines.readline())["answer"])
        self._listener = threading.Thread(target=self._listen, name="lab-fabric", daemon=True)
        self._listener.start()

    def ask(self, request: Request[A], timeout_s: float = GRACE_S) -> A:
        """The fabric's answer. Raises LabError if it refused, failed, or has gone."""
        number, future = next(self._numbers), Future[Any]()
        with self._lock:
            if self._gone:
                raise LabError("the fabric has gone")
            self._waiting[number] = future
            try:
                self._connection.sendall(encode_request(number, request))
            except OSError as error:
                raise LabError(f"the fabric has gone: {error}") from error
        try:
            body = future.result(timeout_s)
        except TimeoutError:
            raise LabError(
                f"no answer to {type(request).__name__} within {timeout_s:.0f} s"
            ) from None
        answer: A = request.answer.model_validate(body)  # type: ignore[assignment] # ClassVar can't be generic
        return answer

    def close(self) -> None:
        """The fabric sees that we are gone, and ends."""
        with contextlib.suppress(OSError):  # it may have gone first
            self._connection.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        self._lines.close()
        self._connection.close()

    def _listen(self) -> None:
        try:
            for line in self._lines:
                self._deliver(json.loads(line))
        except (OSError, ValueError):
            pass  # closed under us, or cut in the middle of a line: the same end
        with self._lock:
            self._gone = True
            for future in self._waiting.values():
                future.set_exception(LabError("the fabric has gone"))

    def _deliver(self, message: dict[str, Any]) -> None:
        with self._lock:
            future = self._waiting.pop(message["id"])
        if "error" in message:
            future.set_exception(LabError(message["error"]))
        else:
            future.set_result(message["answer"])
