"""Turns each request into a deed and an answer."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from lbaas.errors import LabError
from lbaas.lab.fabric import processes
from lbaas.lab.fabric.network import Network
from lbaas.lab.messages import (
    LONGEST_LINE,
    Await,
    Build,
    Completed,
    Done,
    Ended,
    Hello,
    Instant,
    Message,
    PowerOff,
    ReadClock,
    Request,
    Run,
    SetCable,
    SetLoss,
    Signal,
    Spawn,
    Spawned,
    decode_request,
    encode_answer,
    encode_error,
)


class Executor:
    """Everything that the fabric can do, one method a request."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._processes = processes.Processes()
        self._deeds: dict[type[Request[Any]], Callable[[Any], Awaitable[Message]]] = {
            Build: self._build,
            ReadClock: self._read_clock,
            Run: self._run,
            Spawn: self._spawn,
            Signal: self._signal,
            Await: self._await,
            SetCable: self._set_cable,
            SetLoss: self._set_loss,
            PowerOff: self._power_off,
        }

    async def do(self, request: Request[Any]) -> Message:
        """The request is done; its answer. Raises LabError or OSError if it could not be."""
        return await self._deeds[type(request)](request)

    async def _build(self, request: Build) -> Done:
        await asyncio.to_thread(self._network.build, request.topology)
        return Done()

    async def _read_clock(self, _: ReadClock) -> Instant:
        return Instant(at_s=time.monotonic())

    async def _run(self, request: Run) -> Completed:
        namespace = self._network[request.namespace]
        return await asyncio.to_thread(
            processes.run, namespace, request.argv, request.env, request.stdin, request.timeout_s
        )

    async def _spawn(self, request: Spawn) -> Spawned:
        name, namespace = request.namespace, self._network[request.namespace]
        pid = await asyncio.to_thread(
            self._processes.spawn, name, namespace, request.argv, request.env, request.log
        )
        return Spawned(pid=pid)

    async def _signal(self, request: Signal) -> Done:
        self._processes.signal(request.pid, request.signal)
        return Done()

    async def _await(self, request: Await) -> Ended:
        return Ended(status=await self._processes.ended(request.pid, request.timeout_s))

    async def _set_cable(self, request: SetCable) -> Done:
        await asyncio.to_thread(
            self._network.set_plugged, request.namespace, request.interface, plugged=request.plugged
        )
        return Done()

    async def _set_loss(self, request: SetLoss) -> Done:
        await asyncio.to_thread(
            self._network.set_loss, request.namespace, request.interface, request.percent
        )
        return Done()

    async def _power_off(self, request: PowerOff) -> Done:
        await asyncio.to_thread(self._network.pull_all, request.namespace)
        self._processes.kill_all(request.namespace)
        return Done()


async def serve(executor: Executor, host: str, port: int) -> None:
    """Connect to the controller and do what it asks until it goes away."""
    reader, writer = await asyncio.open_connection(host, port, limit=LONGEST_LINE)
    writer.write(encode_answer(0, Hello(clock_s=time.monotonic(), kernel=os.uname().release)))
    under_way: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        task = asyncio.create_task(_answer(executor, line, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


async def _answer(executor: Executor, line: bytes, writer: asyncio.StreamWriter) -> None:
    number, request = decode_request(line)
    try:
        writer.write(encode_answer(number, await executor.do(request)))
    except (LabError, OSError) as error:
        writer.write(encode_error(number, str(error)))
    await writer.drain()
