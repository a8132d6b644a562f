"""What the lab's controller and its fabric say to each other, and the one place that encodes it.

Newline-delimited JSON over one TCP connection, which the fabric opens; several requests may be in
flight. A request names what to do, an answer carries the request's number.
"""

import json
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from lbaas.lab.topology import Topology

LONGEST_LINE = 64 * 1024 * 1024


class Message(BaseModel):
    """Frozen; both ends are of one version, so an unknown field is a defect."""

    model_config = ConfigDict(frozen=True, extra="forbid")


A = TypeVar("A", bound=Message)


class Request(Message, Generic[A]):
    """Asks the fabric for an *A*."""

    answer: ClassVar[type[Message]]


class Done(Message):
    """It was done; there is nothing to say about it."""


class Hello(Message):
    """The fabric's first line."""

    clock_s: float
    kernel: str


class Build(Request[Done]):
    """Make every namespace, bridge, cable, address and route of *topology*."""

    answer = Done
    topology: Topology


class ReadClock(Request["Instant"]):
    """What time is it in there?"""


class Instant(Message):
    """Seconds of the fabric's monotonic clock, which stamps everything that the lab measures."""

    at_s: float


ReadClock.answer = Instant


class Completed(Message):
    """A command that ended. *status* is negative if a signal ended it, as for subprocess."""

    status: int
    stdout: str
    stderr: str
    elapsed_s: float


class Run(Request[Completed]):
    """Run *argv* in *namespace* to its end."""

    answer = Completed
    namespace: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    stdin: str = ""
    timeout_s: float


class Spawned(Message):
    """A process that was started; *pid* is the fabric's."""

    pid: int


class Spawn(Request[Spawned]):
    """Start *argv* in *namespace* and leave it running; what it writes goes to the file *log*."""

    answer = Spawned
    namespace: str
    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    log: str


class Signal(Request[Done]):
    """Send a signal to the process group that Spawn made. One that ended is no error."""

    answer = Done
    pid: int
    signal: int


class Ended(Message):
    """How the process ended; None if it still runs."""

    status: int | None


class Await(Request[Ended]):
    """Wait until the process ends, at most *timeout_s*."""

    answer = Ended
    pid: int
    timeout_s: float


class ProcessRow(Message):
    """One process that Spawn started. *status* is None while it runs."""

    pid: int
    namespace: str
    name: str
    log: str
    status: int | None


class ProcessTable(Message):
    """Every process that was ever started, in that order."""

    processes: tuple[ProcessRow, ...]


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


Direction = Literal["in", "out"]


class Layer(Message):
    """One IP header: outermost first in a packet. *protocol* is that of its payload."""

    source: str
    destination: str
    protocol: int


class Packet(Message):
    """One captured packet, as *direction* of *interface*. *length* is what the outer header says."""

    at_s: float
    interface: str
    direction: Direction
    length: int
    layers: tuple[Layer, ...] = ()
    source_port: int | None = None
    destination_port: int | None = None
    tcp_flags: str = ""

    @property
    def outer(self) -> Layer | None:
        return self.layers[0] if self.layers else None

    @property
    def inner(self) -> Layer | None:
        """The innermost header: the only one, if nothing is tunnelled."""
        return self.layers[-1] if self.layers else None

    @property
    def tunnelled(self) -> bool:
        return len(self.layers) > 1


class Handle(Message):
    """Names something that goes on until it is stopped."""

    number: int


class StartCapture(Request[Handle]):
    """Record what passes *interface* (``any``: every one of the namespace)."""

    answer = Handle
    namespace: str
    interface: str


class Captured(Message):
    """What was recorded. *dropped* packets were lost to a full buffer."""

    packets: tuple[Packet, ...]
    dropped: int


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


class Fetched(Message):
    """One HTTP exchange. *error* is empty if all of it worked; else *status* is 0.

    *backend*, *client* and *client_port* are what the backend said about itself and whom it saw.
    """

    at_s: float
    elapsed_s: float
    connected_s: float | None = None
    source_port: int = 0
    error: str = ""
    status: int = 0
    length: int = 0
    body: str = ""
    backend: str = ""
    client: str = ""
    client_port: int = 0
    vip: str = ""

    @property
    def ok(self) -> bool:
        return not self.error


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


class LoadRecord(Message):
    """Every attempt so far, in the order in which they were begun."""

    attempts: tuple[Fetched, ...]


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


class Flow(Message):
    """One held connection.

    *longest_stall_s* is the longest wait for the answer to a line, *waiting_s* the one that goes on
    now. A broken flow is not alive and says the error; one that hangs is alive, and waits.
    """

    source_port: int
    backend: str
    alive: bool
    exchanged: int
    waiting_s: float
    longest_stall_s: float
    error: str = ""


class FlowRecord(Message):
    """The flows, in the order in which they were opened."""

    flows: tuple[Flow, ...]


class ReadFlows(Request[FlowRecord]):
    """How the flows are by now; with *stop* they are closed."""

    answer = FlowRecord
    number: int
    stop: bool = False


class Description(Message):
    """What one has to know to use a running lab from another terminal. Paths are the host's."""

    topology: Topology
    share: str
    machines: str
    api_url: str = ""
    admin_token_file: str = ""
    tenant_token_file: str = ""


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


def encode_answer(number: int, answer: Message) -> bytes:
    return json.dumps({"id": number, "answer": answer.model_dump(mode="json")}).encode() + b"\n"


def encode_error(number: int, error: str) -> bytes:
    return json.dumps({"id": number, "error": error}).encode() + b"\n"
