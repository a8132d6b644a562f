"""What clients do: fetch once, fetch again and again, hold connections."""

import asyncio
import errno
import itertools
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from lbaas.dataplane.namespaces import Namespace
from lbaas.lab.fabric.web import HELLO
from lbaas.lab.messages import Fetched, Flow
from lbaas.lab.requests import AskUdp, Fetch, StartFlows, StartLoad

KEPT_BODY = 2000
CHUNK = b"u" * 65536


async def fetch(namespace: Namespace, request: Fetch) -> Fetched:
    """One HTTP exchange over a connection of its own. What went wrong is in the answer's error."""
    outcome = _Outcome(time.monotonic())
    try:
        async with asyncio.timeout(request.timeout_s):
            await _exchange(namespace, request, outcome)
    except TimeoutError:
        outcome.error = "timed out"
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        outcome.error = _said(error)
    return outcome.finish()


async def ask_udp(namespace: Namespace, request: AskUdp) -> Fetched:
    """One datagram there, one back."""
    outcome = _Outcome(time.monotonic())
    loop = asyncio.get_running_loop()
    try:
        with _endpoint(namespace, request.address, socket.SOCK_DGRAM, request.source_port) as ours:
            async with asyncio.timeout(request.timeout_s):
                await loop.sock_connect(ours, (request.address, request.port))
                outcome.source_port = ours.getsockname()[1]
                await loop.sock_sendall(ours, b"who are you?")
                outcome.body = await loop.sock_recv(ours, 65535)
                outcome.length = len(outcome.body)
    except TimeoutError:
        outcome.error = "timed out"
    except OSError as error:
        outcome.error = _said(error)
    return outcome.finish()


class Load:
    """Begins a fetch every so often, whatever became of those before it."""

    def __init__(self, namespace: Namespace, request: StartLoad) -> None:
        self._namespace = namespace
        self._request = request
        self._attempts: list[asyncio.Task[Fetched]] = []
        self._begin = asyncio.create_task(self._run())

    async def stop(self) -> tuple[Fetched, ...]:
        """Every attempt, those under way awaited."""
        self._begin.cancel()
        return tuple(await asyncio.gather(*self._attempts))

    async def _run(self) -> None:
        wanted = Fetch(
            namespace=self._request.namespace,
            address=self._request.address,
            port=self._request.port,
            timeout_s=self._request.timeout_s,
        )
        begun = time.monotonic()
        for tick in itertools.count():
            due = begun + tick * self._request.every_ms / 1000
            await asyncio.sleep(due - time.monotonic())
            self._attempts.append(asyncio.create_task(fetch(self._namespace, wanted)))


class Flows:
    """Connections held open, each with a line under way every so often."""

    def __init__(self, namespace: Namespace, request: StartFlows) -> None:
        self._namespace = namespace
        self._request = request
        self._held = [_Held() for _ in range(request.count)]
        self._tasks: list[asyncio.Task[None]] = []

    async def establish(self) -> None:
        """All are open and know their backend, or have failed and say why."""
        self._tasks = [asyncio.create_task(self._hold(held)) for held in self._held]
        await asyncio.gather(*(held.open.wait() for held in self._held))

    def read(self) -> tuple[Flow, ...]:
        """How they are by now; a wait that goes on counts as it stands."""
        now = time.monotonic()
        return tuple(held.flow(now) for held in self._held)

    async def stop(self) -> tuple[Flow, ...]:
        """How they were; they are closed."""
        flows = self.read()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return flows

    async def _hold(self, held: "_Held") -> None:
        try:
            await self._talk(held)
        except (OSError, EOFError) as error:
            held.error = _said(error)
        finally:
            held.waiting_since = None
            held.open.set()

    async def _talk(self, held: "_Held") -> None:
        wanted = self._request
        ours = await _connected(self._namespace, wanted.address, wanted.port, 0)
        held.source_port = ours.getsockname()[1]
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            held.backend = (await _say(HELLO, reader, writer)).decode().strip()
            held.open.set()
            while True:
                await asyncio.sleep(wanted.every_ms / 1000)
                held.waiting_since = time.monotonic()
                await _say(b"tick\n", reader, writer)
                held.answered(time.monotonic())
        finally:
            writer.transport.abort()


@dataclass
class _Held:
    """One connection of Flows."""

    source_port: int = 0
    backend: str = ""
    exchanged: int = 0
    longest_stall_s: float = 0
    waiting_since: float | None = None
    error: str = ""
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def answered(self, now: float) -> None:
        self.longest_stall_s = max(self.longest_stall_s, self._waited(now))
        self.waiting_since = None
        self.exchanged += 1

    def flow(self, now: float) -> Flow:
        return Flow(
            source_port=self.source_port,
            backend=self.backend,
            alive=not self.error,
            exchanged=self.exchanged,
            waiting_s=self._waited(now),
            longest_stall_s=max(self.longest_stall_s, self._waited(now)),
            error=self.error,
        )

    def _waited(self, now: float) -> float:
        return 0 if self.waiting_since is None else now - self.waiting_since


@dataclass
class _Outcome:
    """A Fetched in the making."""

    at_s: float
    source_port: int = 0
    connected_s: float | None = None
    status: int = 0
    length: int = 0
    body: bytes = b""
    error: str = ""

    def finish(self) -> Fetched:
        told = _told(self.body)
        return Fetched(
            at_s=self.at_s,
            elapsed_s=time.monotonic() - self.at_s,
            connected_s=self.connected_s,
            source_port=self.source_port,
            error=self.error,
            status=self.status,
            length=self.length,
            body=self.body[:KEPT_BODY].decode(errors="replace"),
            backend=told.get("backend", ""),
            client=told.get("client", ""),
            client_port=told.get("client_port", 0),
            vip=told.get("vip", ""),
        )


async def _exchange(namespace: Namespace, request: Fetch, outcome: _Outcome) -> None:
    loop = asyncio.get_running_loop()
    with await _connected(namespace, request.address, request.port, request.source_port) as ours:
        outcome.connected_s = time.monotonic() - outcome.at_s
        outcome.source_port = ours.getsockname()[1]
        await _send(loop, ours, request)
        await _receive(loop, ours, outcome)


async def _send(loop: asyncio.AbstractEventLoop, ours: socket.socket, request: Fetch) -> None:
    method = "POST" if request.upload else "GET"
    head = f"{method} {request.path} HTTP/1.1\r\nHost: {request.address}\r\n"
    await loop.sock_sendall(ours, f"{head}Content-Length: {request.upload}\r\n\r\n".encode())
    left = request.upload
    while left:
        chunk = CHUNK[:left]
        await loop.sock_sendall(ours, chunk)
        left -= len(chunk)


async def _receive(loop: asyncio.AbstractEventLoop, ours: socket.socket, outcome: _Outcome) -> None:
    """To the end, which is the server's to make. Raises EOFError if it came too early."""
    received = bytearray()
    head, expected = b"", None
    while chunk := await loop.sock_recv(ours, 262144):
        received += chunk
        outcome.length += len(chunk)
        if expected is None and b"\r\n\r\n" in received:
            head, _, body = bytes(received).partition(b"\r\n\r\n")
            expected = _announced(head)
            outcome.length, received = len(body), bytearray(body)
        if expected is not None:
            del received[KEPT_BODY:]
    if expected is None or outcome.length < expected:
        raise ConnectionResetError(errno.ECONNRESET, "closed before the end of the answer")
    outcome.status = int(head.split(b" ", 2)[1])
    outcome.body = bytes(received)


def _announced(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _say(line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The answer to *line*. Raises EOFError if the other side has closed."""
    writer.write(line)
    answer = await reader.readline()
    if not answer:
        raise EOFError("closed by the backend")
    return answer


async def _connected(
    namespace: Namespace, address: str, port: int, source_port: int
) -> socket.socket:
    """An established connection, the caller's to close."""
    ours = _endpoint(namespace, address, socket.SOCK_STREAM, source_port)
    try:
        await asyncio.get_running_loop().sock_connect(ours, (address, port))
    except BaseException:
        ours.close()
        raise
    return ours


def _endpoint(namespace: Namespace, address: str, kind: int, source_port: int) -> socket.socket:
    """A socket for good in *namespace*, bound to *source_port* unless that is 0."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespace.inside():
        endpoint = socket.socket(family, kind)
    endpoint.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    if source_port:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        endpoint.bind(("", source_port))
    return endpoint


def _told(body: bytes) -> dict[str, Any]:
    """What the backend said about itself, if that is what it sent."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _said(error: Exception) -> str:
    """``ECONNREFUSED`` and the like, which tests can compare; else the text."""
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, str(error))
    return str(error)
