"""The lab as Python sees it: start it, run things in it, disturb it, watch it."""

import itertools
import shutil
import socket
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from lbaas.lab.bird_config import node_config, router_config
from lbaas.lab.guest import MEMORY_MB
from lbaas.lab.handles import Capture, Flows, Load, Process
from lbaas.lab.house import start
from lbaas.lab.kernel.cache import Progress, silent
from lbaas.lab.meeting import Meeting, meet
from lbaas.lab.messages import Completed, Description, Fetched, ProcessRow
from lbaas.lab.remote import GRACE_S, Remote
from lbaas.lab.requests import (
    AskUdp,
    Build,
    Describe,
    Fetch,
    ListProcesses,
    PowerOff,
    ReadClock,
    Run,
    ServeWeb,
    SetCable,
    SetLoss,
    Spawn,
    StartCapture,
    StartFlows,
    StartLoad,
)
from lbaas.lab.topology import DATA, MANAGEMENT, ROUTER, Machine, Role, Topology


class Lab:
    """A running datacentre. Close it, or use it as a context manager; nothing is left of it then.

    Whatever happens to the process that started it, its processes end with that one.
    """

    def __init__(
        self, topology: Topology, share: Path, machines: Path, remote: Remote, undo: ExitStack
    ) -> None:
        self.topology = topology
        self.share = share
        self.remote = remote
        self.birds: dict[str, Process] = {}
        self._machines = machines
        self._undo = undo
        self._numbers = itertools.count(1)

    @classmethod
    def start(
        cls,
        topology: Topology | None = None,
        progress: Progress = silent,
        meeting: Meeting | None = None,
        memory_mb: int = MEMORY_MB,
    ) -> Self:
        """The topology stands, and BIRD runs on the router and on each node.

        *meeting* may be made before, for a server that starts meanwhile; it is closed with the lab. A guest
        has *memory_mb*.
        Raises ToolMissing if this machine lacks something, LabError with the logs if it won't start.
        """
        with ExitStack() as undo:
            meeting = meeting or meet()
            undo.callback(meeting.close)
            share = Path(tempfile.mkdtemp(prefix="lbaas-lab-"))
            undo.callback(shutil.rmtree, share, ignore_errors=True)
            house = start(share, meeting, progress, memory_mb)
            undo.callback(house.close)
            remote = Remote(house.welcome(meeting.control))
            undo.callback(remote.close)
            progress("building the topology")
            lab = cls(topology or Topology(), share, house.machines, remote, undo)
            lab._furnish()
            lab._undo = undo.pop_all()
        return lab

    @classmethod
    def attach(cls, connection: socket.socket) -> Self:
        """A lab that another process holds, over its control socket. Closing it leaves that running."""
        remote = Remote(connection)
        description = remote.ask(Describe())
        undo = ExitStack()
        undo.callback(remote.close)
        share, machines = Path(description.share), Path(description.machines)
        return cls(description.topology, share, machines, remote, undo)

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
        self._undo.close()

    def clock(self) -> float:
        """Seconds of the clock that stamps all that the lab measures."""
        return self.remote.ask(ReadClock()).at_s

    def directory(self, machine: str) -> Path:
        """A directory of the machine's own, as a path in the lab: the host need not see it."""
        return self._machines / machine

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
        return self.remote.ask(request, timeout_s + GRACE_S)

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
        request = Spawn(
            namespace=namespace, name=name, argv=tuple(argv), env=dict(env or {}), log=str(log)
        )
        return Process(name, namespace, self.remote.ask(request).pid, log, self.remote)

    def spawned(self, namespace: str) -> tuple[Process, ...]:
        """Every process that was started in *namespace*, in that order."""
        return tuple(
            Process(row.name, row.namespace, row.pid, Path(row.log), self.remote)
            for row in self.processes()
            if row.namespace == namespace
        )

    def describe(self) -> Description:
        """What another terminal has to know."""
        return Description(
            topology=self.topology, share=str(self.share), machines=str(self._machines)
        )

    def processes(self) -> tuple[ProcessRow, ...]:
        """Every process that was started, in that order."""
        return self.remote.ask(ListProcesses()).processes

    def link(self, machine: str, interface: str, *, up: bool) -> None:
        """The cable is plugged in, or pulled: the machine keeps its addresses but has no carrier."""
        self.remote.ask(SetCable(namespace=machine, interface=interface, plugged=up))

    def loss(self, machine: str, interface: str, percent: float) -> None:
        """The cable silently loses *percent* of its packets, both ways. 0 mends it."""
        self.remote.ask(SetLoss(namespace=machine, interface=interface, percent=percent))

    def kill_node(self, machine: str) -> None:
        """As if its power had gone: no carrier, no process left. The router is told nothing."""
        self.remote.ask(PowerOff(namespace=machine))

    def revive_node(self, machine: str) -> None:
        """Its cables are plugged in and its BIRD runs again; agents are their owner's to start."""
        self.link(machine, DATA, up=True)
        self.link(machine, MANAGEMENT, up=True)
        self.birds[machine] = self._start_bird(machine)

    def capture(self, namespace: str, interface: str) -> Capture:
        """A recording of what passes *interface* (``any``: every one of *namespace*) has begun."""
        started = self.remote.ask(StartCapture(namespace=namespace, interface=interface))
        return Capture(started.number, self.remote)

    def web(self, machine: str, port: int, address: str | None = None) -> None:
        """*machine* answers HTTP, lines and datagrams on *port*, also at addresses it gets later."""
        self.remote.ask(ServeWeb(namespace=machine, port=port, address=address))

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
        return self.remote.ask(request, timeout_s + GRACE_S)

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
        return self.remote.ask(request, timeout_s + GRACE_S)

    def load(
        self, client: str, address: str, port: int, *, every_ms: float = 50, timeout_s: float = 2
    ) -> Load:
        """*client* begins a new connection every *every_ms* from now on."""
        request = StartLoad(
            namespace=client, address=address, port=port, every_ms=every_ms, timeout_s=timeout_s
        )
        return Load(self.remote.ask(request).number, timeout_s, self.remote)

    def flows(
        self, client: str, address: str, port: int, count: int, *, every_ms: float = 50
    ) -> Flows:
        """*client* holds *count* established connections that exchange a line every *every_ms*."""
        request = StartFlows(
            namespace=client, address=address, port=port, count=count, every_ms=every_ms
        )
        return Flows(self.remote.ask(request).number, self.remote)

    def _furnish(self) -> None:
        self.remote.ask(Build(topology=self.topology))
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
