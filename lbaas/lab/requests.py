"""What a lab is asked to do, and the one place that encodes it.

Newline-delimited JSON over one TCP connection, which the fabric opens; several requests may be in
flight. A request names what to do, an answer carries the request's number.
"""

import json
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field

from lbaas.lab.messages import (
    Captured,
    Completed,
    Description,
    Done,
    Ended,
    Fetched,
    FlowRecord,
    Handle,
    Instant,
    LoadRecord,
    Message,
    ProcessTable,
    Spawned,
)
from lbaas.lab.topology import Topology

LONGEST_LINE = 64 * 1024 * 1024

A = TypeVar("A", bound=Message)


class Request(Message, Generic[A]):
    """Asks the fabric for an *A*."""

    answer: ClassVar[type[Message]]


class Build(Request[Done]):
    """Make every namespace, bridge, cable, address and route of *topology*."""

    answer = Done
    topology: Topology


class ReadClock(Request[Instant]):
    """What time is it in there?"""

    answer = Instant


class Run(Request[Completed]):
    """Run *argv* in *namespace* to its end."""

    answer = Completed
    namespace: str
    argv: tuple[str, ...]
    env: dict[str, str] = Field(default_factory=dict)
    stdin: str = ""
    timeout_s: float


class Spawn(Request[Spawned]):
    """Start *argv* in *namespace* and leave it running; what it writes goes to the file *log*."""

    answer = Spawned
    namespace: str
    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = Field(default_factory=dict)
    log: str


class Signal(Request[Done]):
    """Send a signal to the process group that Spawn made. One that ended is no error."""

    answer = Done
    pid: int
    signal: int


class Await(Request[Ended]):
    """Wait until the process ends, at most *timeout_s*."""

    answer = Ended
    pid: int
    timeout_s: float


class ListProcesses(Request[ProcessTable]):
    """What was started, and what of it still runs."""

    answer = ProcessTable


class SetCable(Request[Done]):
    """Plug the cable of *interface* in, or pull it: the machine sees its carrier go."""

    answer = Done
    namespace: str
    interface: str
    plugged: bool


class SetLoss(Request[Done]):
    """Lose *percent* of the packets on the cable, both ways, with no sign to either end."""

    answer = Done
    namespace: str
    interface: str
    percent: float


class PowerOff(Request[Done]):
    """Pull every cable of the machine, then kill all its processes with SIGKILL."""

    answer = Done
    namespace: str


class StartCapture(Request[Handle]):
    """Record what passes *interface* (``any``: every one of the namespace)."""

    answer = Handle
    namespace: str
    interface: str


class StopCapture(Request[Captured]):
    """End a capture; with *pcap*, also write it there for tcpdump and wireshark."""

    answer = Captured
    number: int
    pcap: str | None = None


class ServeWeb(Request[Done]):
    """From now on *namespace* answers HTTP, lines and datagrams on *port* of each of its addresses."""

    answer = Done
    namespace: str
    port: int
    address: str | None = None


class Fetch(Request[Fetched]):
    """One request over a connection of its own; with *upload* a POST of so many bytes."""

    answer = Fetched
    namespace: str
    address: str
    port: int
    path: str = "/"
    source_port: int = 0
    upload: int = 0
    timeout_s: float = 5


class AskUdp(Request[Fetched]):
    """One datagram there, one back."""

    answer = Fetched
    namespace: str
    address: str
    port: int
    source_port: int = 0
    timeout_s: float = 5


class StartLoad(Request[Handle]):
    """A new connection every *every_ms*, each given *timeout_s*."""

    answer = Handle
    namespace: str
    address: str
    port: int
    every_ms: float
    timeout_s: float


class StopLoad(Request[LoadRecord]):
    """End the load once the attempts under way have ended."""

    answer = LoadRecord
    number: int


class StartFlows(Request[Handle]):
    """Hold *count* connections, each of which exchanges a line every *every_ms*.

    Answers once all are established.
    """

    answer = Handle
    namespace: str
    address: str
    port: int
    count: int
    every_ms: float


class ReadFlows(Request[FlowRecord]):
    """How the flows are by now; with *stop* they are closed."""

    answer = FlowRecord
    number: int
    stop: bool = False


class Describe(Request[Description]):
    """Which lab is this? For the process that holds it, not for the fabric."""

    answer = Description


class TearDown(Request[Done]):
    """End the lab. For the process that holds it, not for the fabric."""

    answer = Done


REQUESTS: dict[str, type[Request[Any]]] = {
    request.__name__: request
    for request in (
        *(Build, ReadClock, Run, Spawn, Signal, Await, ListProcesses, SetCable, SetLoss, PowerOff),
        *(StartCapture, StopCapture, ServeWeb, Fetch, AskUdp, StartLoad, StopLoad),
        *(StartFlows, ReadFlows, Describe, TearDown),
    )
}


def encode_request(number: int, request: Request[Any]) -> bytes:
    line = {"id": number, "do": type(request).__name__, "with": request.model_dump(mode="json")}
    return json.dumps(line).encode() + b"\n"


def decode_request(line: bytes) -> tuple[int, Request[Any]]:
    """The number and the request. Raises ValueError or KeyError for a line that is neither's."""
    message = json.loads(line)
    return message["id"], REQUESTS[message["do"]].model_validate(message["with"])
