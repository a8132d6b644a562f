"""What a lab tells: how commands ended, what was captured, how traffic fared.

See lbaas.lab.requests for what it is asked, and how both travel.
"""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lbaas.lab.topology import Topology

Direction = Literal["in", "out"]


class Message(BaseModel):
    """Frozen; both ends are of one version, so an unknown field is a defect."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Done(Message):
    """It was done; there is nothing to say about it."""


class Hello(Message):
    """The fabric's first line."""

    clock_s: float
    kernel: str


class Instant(Message):
    """Seconds of the fabric's monotonic clock, which stamps everything that the lab measures."""

    at_s: float


class Completed(Message):
    """A command that ended. *status* is negative if a signal ended it, as for subprocess."""

    status: int
    stdout: str
    stderr: str
    elapsed_s: float


class Spawned(Message):
    """A process that was started; *pid* is the fabric's."""

    pid: int


class Ended(Message):
    """How the process ended; None if it still runs."""

    status: int | None


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


class Captured(Message):
    """What was recorded. *dropped* packets were lost to a full buffer."""

    packets: tuple[Packet, ...]
    dropped: int


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


class LoadRecord(Message):
    """Every attempt so far, in the order in which they were begun."""

    attempts: tuple[Fetched, ...]


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


class Description(Message):
    """What one has to know to use a running lab from another terminal. Paths are the host's."""

    topology: Topology
    share: str
    machines: str
    api_url: str = ""
    admin_token_file: str = ""
    tenant_token_file: str = ""


def encode_answer(number: int, answer: Message) -> bytes:
    return json.dumps({"id": number, "answer": answer.model_dump(mode="json")}).encode() + b"\n"


def encode_error(number: int, error: str) -> bytes:
    return json.dumps({"id": number, "error": error}).encode() + b"\n"
