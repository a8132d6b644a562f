"""Turns each request into a deed and an answer."""

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from lbaas.errors import LabError
from lbaas.lab.fabric import processes, traffic
from lbaas.lab.fabric.capture import Capture
from lbaas.lab.fabric.network import Network
from lbaas.lab.fabric.web import WebServer
from lbaas.lab.messages import (
    Captured,
    Completed,
    Done,
    Ended,
    Fetched,
    FlowRecord,
    Handle,
    Hello,
    Instant,
    LoadRecord,
    Message,
    ProcessTable,
    Spawned,
    encode_answer,
    encode_error,
)
from lbaas.lab.requests import (
    LONGEST_LINE,
    AskUdp,
    Await,
    Build,
    Fetch,
    ListProcesses,
    PowerOff,
    ReadClock,
    ReadFlows,
    Request,
    Run,
    ServeWeb,
    SetCable,
    SetLoss,
    Signal,
    Spawn,
    StartCapture,
    StartFlows,
    StartLoad,
    StopCapture,
    StopLoad,
    decode_request,
)


class Executor:
    """Everything that the fabric can do, one method a request."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._processes = processes.Processes()
        self._numbers = itertools.count(1)
        self._captures: dict[int, Capture] = {}
        self._loads: dict[int, traffic.Load] = {}
        self._flows: dict[int, traffic.Flows] = {}
        self._webs: list[WebServer] = []
        self._deeds: dict[type[Request[Any]], Callable[[Any], Awaitable[Message]]] = {
            Build: self._build,
            ReadClock: self._read_clock,
            Run: self._run,
            Spawn: self._spawn,
            Signal: self._signal,
            Await: self._await,
            ListProcesses: self._list_processes,
            SetCable: self._set_cable,
            SetLoss: self._set_loss,
            PowerOff: self._power_off,
            StartCapture: self._start_capture,
            StopCapture: self._stop_capture,
            ServeWeb: self._serve_web,
            Fetch: self._fetch,
            AskUdp: self._ask_udp,
            StartLoad: self._start_load,
            StopLoad: self._stop_load,
            StartFlows: self._start_flows,
            ReadFlows: self._read_flows,
        }

    async def do(self, request: Request[Any]) -> Message:
        """The request is done; its answer. Raises LabError or OSError if it could not be."""
        deed = self._deeds.get(type(request))
        if deed is None:
            raise LabError(f"{type(request).__name__} is not for the fabric")
        return await deed(request)

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
        namespace = self._network[request.namespace]
        pid = await asyncio.to_thread(self._processes.spawn, namespace, request)
        return Spawned(pid=pid)

    async def _signal(self, request: Signal) -> Done:
        self._processes.signal(request.pid, request.signal)
        return Done()

    async def _await(self, request: Await) -> Ended:
        return Ended(status=await self._processes.ended(request.pid, request.timeout_s))

    async def _list_processes(self, _: ListProcesses) -> ProcessTable:
        return ProcessTable(processes=self._processes.table())

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

    async def _start_capture(self, request: StartCapture) -> Handle:
        number = next(self._numbers)
        self._captures[number] = Capture(self._network[request.namespace], request.interface)
        return Handle(number=number)

    async def _stop_capture(self, request: StopCapture) -> Captured:
        return self._captures.pop(request.number).stop(request.pcap)

    async def _serve_web(self, request: ServeWeb) -> Done:
        web = WebServer(request.namespace)
        await web.serve(self._network[request.namespace], request.address, request.port)
        self._webs.append(web)
        return Done()

    async def _fetch(self, request: Fetch) -> Fetched:
        return await traffic.fetch(self._network[request.namespace], request)

    async def _ask_udp(self, request: AskUdp) -> Fetched:
        return await traffic.ask_udp(self._network[request.namespace], request)

    async def _start_load(self, request: StartLoad) -> Handle:
        number = next(self._numbers)
        self._loads[number] = traffic.Load(self._network[request.namespace], request)
        return Handle(number=number)

    async def _stop_load(self, request: StopLoad) -> LoadRecord:
        return LoadRecord(attempts=await self._loads.pop(request.number).stop())

    async def _start_flows(self, request: StartFlows) -> Handle:
        number = next(self._numbers)
        flows = traffic.Flows(self._network[request.namespace], request)
        await flows.establish()
        self._flows[number] = flows
        return Handle(number=number)

    async def _read_flows(self, request: ReadFlows) -> FlowRecord:
        if request.stop:
            return FlowRecord(flows=await self._flows.pop(request.number).stop())
        return FlowRecord(flows=self._flows[request.number].read())


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
    except Exception as error:  # noqa: BLE001 - the top of the loop; whoever asked is told
        said = str(error) if isinstance(error, LabError | OSError) else repr(error)
        writer.write(encode_error(number, said))
    await writer.drain()
