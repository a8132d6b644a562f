"""What goes on in a lab until it is stopped: processes, captures, loads, flows."""

import signal
from dataclasses import dataclass
from pathlib import Path

from lbaas.errors import LabError
from lbaas.lab.messages import Captured, Fetched, Flow
from lbaas.lab.remote import GRACE_S, Remote
from lbaas.lab.requests import Await, ReadFlows, Signal, StopCapture, StopLoad

TAIL = 4000


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
        ended = self._remote.ask(Await(pid=self.pid, timeout_s=timeout_s), timeout_s + GRACE_S)
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
        answer = self._remote.ask(StopLoad(number=self._number), self._timeout_s + GRACE_S)
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
