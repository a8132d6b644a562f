"""The lab as Python sees it: start it, run things in it, disturb it, watch it."""

import itertools
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lbaas.errors import LabError
from lbaas.lab import guest
from lbaas.lab.bird_config import node_config, router_config
from lbaas.lab.kernel import cached
from lbaas.lab.meeting import Meeting, meet
from lbaas.lab.messages import (
    AskUdp,
    Await,
    Build,
    Captured,
    Completed,
    Fetch,
    Fetched,
    Flow,
    PowerOff,
    ReadClock,
    ReadFlows,
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
)
from lbaas.lab.remote import Remote
from lbaas.lab.topology import DATA, FABRIC_ADDRESS, MANAGEMENT, ROUTER, Machine, Role, Topology

Progress = Callable[[str], None]

BOOT_TIMEOUT_S = 60
TAIL = 4000


def _silent(_: str) -> None:
    """Nobody is watching."""


@dataclass(frozen=True)
class Process:
    """A process that was started in the lab. It dies with the lab at the latest."""

    name: str
    namespace: str
    pid: int
    log: Path
    _remote: Remote

    @property
    def alive(self) -> bool:
        return self._remote.ask(Await(pid=self.pid, timeout_s=0)).status is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """The process, and what it started, has got the signal."""
        self._remote.ask(Signal(pid=self.pid, signal=number))

    def wait(self, timeout_s: float = 10) -> int:
        """Its exit status, negative for a signal. Raises LabError if it still runs by then."""
        ended = self._remote.ask(Await(pid=self.pid, timeout_s=timeout_s), timeout_s + 30)
        if ended.status is None:
            raise LabError(f"{self.name} in {self.namespace} still runs after {timeout_s} s")
        return ended.status

    def log_tail(self) -> str:
        """The last of what it wrote."""
        return self.log.read_bytes()[-TAIL:].decode(errors="replace")


@dataclass(frozen=True)
class Capture:
    """A recording that goes on."""

    _number: int
    _remote: Remote

    def stop(self, pcap: Path | None = None) -> Captured:
        """What was recorded; with *pcap* also written there, a path in the lab's shared directory."""
        request = StopCapture(number=self._number, pcap=str(pcap) if pcap else None)
        return self._remote.ask(request)


@dataclass(frozen=True)
class Load:
    """New connections that go on being made."""

    _number: int
    _timeout_s: float
    _remote: Remote

    def stop(self) -> tuple[Fetched, ...]:
        """Every attempt in the order of its beginning."""
        answer = self._remote.ask(StopLoad(number=self._number), self._timeout_s + 30)
        return answer.attempts


@dataclass(frozen=True)
class Flows:
    """Connections that are held."""

    _number: int
    _remote: Remote

    def read(self) -> tuple[Flow, ...]:
        """How they are now."""
        return self._remote.ask(ReadFlows(number=self._number)).flows

    def stop(self) -> tuple[Flow, ...]:
        """How they were when they were closed, which is now."""
        return self._remote.ask(ReadFlows(number=self._number, stop=True)).flows


class Lab:
    """A running datacentre. Close it, or use it as a context manager; nothing is left of it then.

    It also ends with the thread that made it: make it in one that lasts.
    """

    def __init__(
        self, topology: Topology, share: Path, meeting: Meeting, house: guest.Guest, remote: Remote
    ) -> None:
        self.topology = topology
        self.share = share
        self._meeting = meeting
        self._house = house
        self._remote = remote
        self._numbers = itertools.count(1)
        self.birds: dict[str, Process] = {}

    @classmethod
    def start(cls, topology: Topology | None = None, progress: Progress = _silent) -> Self:
        """The topology stands and its routers speak BGP. Raises LabError with the logs if it won't."""
        topology = topology or Topology()
        kernel = cached()
        if kernel is None:
            raise LabError("no kernel; run: lbaas lab kernel")
        progress("joining host and lab")
        meeting = meet()
        share = Path(tempfile.mkdtemp(prefix="lbaas-lab-"))
        progress("booting the guest")
        house = guest.boot(kernel, share, meeting.wire, _fabric_command(meeting))
        try:
            remote = Remote(_await_fabric(meeting, house))
            lab = cls(topology, share, meeting, house, remote)
            progress("building the topology")
            lab._furnish()
        except BaseException:
            house.close()
            meeting.close()
            shutil.rmtree(share, ignore_errors=True)
            raise
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """No process, namespace or file of the lab is left."""
        self._remote.close()
        self._house.close()
        self._meeting.close()
        shutil.rmtree(self.share, ignore_errors=True)

    @property
    def api_listener(self) -> socket.socket:
        """Listens on 10.255.0.1:8080 of the management segment; for a server on this side."""
        return self._meeting.api

    def clock(self) -> float:
        """Seconds of the clock that stamps all that the lab measures."""
        return self._remote.ask(ReadClock()).at_s

    def directory(self, machine: str) -> Path:
        """A directory of the machine's own, as a path in the lab: not seen from the host."""
        return Path("/run/lbaas-lab", machine)

    def bird_socket(self, machine: str) -> Path:
        """The control socket of the machine's BIRD, a path in the lab."""
        return self.directory(machine) / "bird.ctl"

    def bird_include(self, node: str) -> Path:
        """The file that the node's BIRD includes and the node agent owns, a path in the lab."""
        return self.directory(node) / "lbaas.conf"

    def run(
        self,
        namespace: str,
        argv: Sequence[str],
        *,
        timeout_s: float = 30,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """*argv* ran to its end in *namespace*; status 124 if it was killed after *timeout_s*."""
        request = Run(
            namespace=namespace,
            argv=tuple(argv),
            env=dict(env or {}),
            stdin=stdin,
            timeout_s=timeout_s,
        )
        return self._remote.ask(request, timeout_s + 30)

    def spawn(
        self,
        namespace: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> Process:
        """*argv* runs in *namespace* until it ends, is killed, or the lab is closed."""
        name = name or Path(argv[0]).name
        log = self.share / f"{namespace}-{name}-{next(self._numbers)}.log"
        request = Spawn(namespace=namespace, argv=tuple(argv), env=dict(env or {}), log=str(log))
        return Process(name, namespace, self._remote.ask(request).pid, log, self._remote)

    def link(self, machine: str, interface: str, *, up: bool) -> None:
        """The cable is plugged in, or pulled: the machine keeps its addresses but has no carrier."""
        self._remote.ask(SetCable(namespace=machine, interface=interface, plugged=up))

    def loss(self, machine: str, interface: str, percent: float) -> None:
        """The cable silently loses *percent* of its packets, both ways. 0 mends it."""
        self._remote.ask(SetLoss(namespace=machine, interface=interface, percent=percent))

    def kill_node(self, machine: str) -> None:
        """As if its power had gone: no carrier, no process left. The router is told nothing."""
        self._remote.ask(PowerOff(namespace=machine))

    def revive_node(self, machine: str) -> None:
        """Its cables are plugged in and its BIRD runs again; agents are their owner's to start."""
        self.link(machine, DATA, up=True)
        self.link(machine, MANAGEMENT, up=True)
        self.birds[machine] = self._start_bird(machine)

    def capture(self, namespace: str, interface: str) -> "Capture":
        """A recording of what passes *interface* (``any``: every one of *namespace*) has begun."""
        started = self._remote.ask(StartCapture(namespace=namespace, interface=interface))
        return Capture(started.number, self._remote)

    def web(self, machine: str, port: int, address: str | None = None) -> None:
        """*machine* answers HTTP, lines and datagrams on *port*, also at addresses it gets later."""
        self._remote.ask(ServeWeb(namespace=machine, port=port, address=address))

    def fetch(
        self,
        client: str,
        address: str,
        port: int,
        *,
        path: str = "/",
        source_port: int = 0,
        upload: int = 0,
        timeout_s: float = 5,
    ) -> Fetched:
        """One HTTP exchange. A failed one is told by its error, not raised."""
        request = Fetch(
            namespace=client,
            address=address,
            port=port,
            path=path,
            source_port=source_port,
            upload=upload,
            timeout_s=timeout_s,
        )
        return self._remote.ask(request, timeout_s + 30)

    def udp(
        self, client: str, address: str, port: int, *, source_port: int = 0, timeout_s: float = 5
    ) -> Fetched:
        """One datagram there, one back. A failure is told, not raised."""
        request = AskUdp(
            namespace=client,
            address=address,
            port=port,
            source_port=source_port,
            timeout_s=timeout_s,
        )
        return self._remote.ask(request, timeout_s + 30)

    def load(
        self, client: str, address: str, port: int, *, every_ms: float = 50, timeout_s: float = 2
    ) -> "Load":
        """*client* begins a new connection every *every_ms* from now on."""
        request = StartLoad(
            namespace=client, address=address, port=port, every_ms=every_ms, timeout_s=timeout_s
        )
        return Load(self._remote.ask(request).number, timeout_s, self._remote)

    def flows(
        self, client: str, address: str, port: int, count: int, *, every_ms: float = 50
    ) -> "Flows":
        """*client* holds *count* established connections that exchange a line every *every_ms*."""
        request = StartFlows(
            namespace=client, address=address, port=port, count=count, every_ms=every_ms
        )
        return Flows(self._remote.ask(request).number, self._remote)

    def _furnish(self) -> None:
        self._remote.ask(Build(topology=self.topology))
        machines = [ROUTER, *(machine.name for machine in self.topology.machines)]
        directories = [str(self.directory(machine)) for machine in machines]
        self.run(ROUTER, ["mkdir", "-p", *directories])
        self._write_config(ROUTER, router_config(self.topology, "/dev/stderr"))
        for node in self.topology.of(Role.NODE):
            self._write_config(node.name, self._node_config(node))
        for name in (ROUTER, *(node.name for node in self.topology.of(Role.NODE))):
            self.birds[name] = self._start_bird(name)

    def _node_config(self, node: Machine) -> str:
        return node_config(node, "/dev/stderr", str(self.directory(node.name) / "lbaas*.conf"))

    def _write_config(self, machine: str, text: str) -> None:
        (self.share / f"{machine}-bird.conf").write_text(text)

    def _start_bird(self, machine: str) -> Process:
        config = self.share / f"{machine}-bird.conf"
        control = str(self.bird_socket(machine))
        return self.spawn(machine, ["bird", "-f", "-c", str(config), "-s", control], name="bird")


def _fabric_command(meeting: Meeting) -> list[str]:
    host, port = meeting.control.getsockname()
    return [
        *(sys.executable, "-m", "lbaas.lab.fabric", "--controller", f"{host}:{port}"),
        *("--uplink", guest.UPLINK, "--address", str(FABRIC_ADDRESS)),
    ]


def _await_fabric(meeting: Meeting, house: guest.Guest) -> socket.socket:
    """The fabric's connection. Raises LabError, with what the guest said, if it does not come."""
    meeting.control.settimeout(BOOT_TIMEOUT_S)
    try:
        connection, _ = meeting.control.accept()
    except TimeoutError:
        raise LabError(f"the guest did not come up: {house.last_words()}") from None
    connection.settimeout(None)
    return connection
