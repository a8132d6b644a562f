"""Where the fabric runs: in a guest, or in namespaces of the host. Both end with us, whatever happens."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lbaas.errors import LabError
from lbaas.lab import guest
from lbaas.lab.kernel.build import ensure
from lbaas.lab.kernel.cache import Progress
from lbaas.lab.lifeline import Lifeline
from lbaas.lab.machine import DATA_PATH_MODULES, Place, find_program, place
from lbaas.lab.meeting import LAB_END, Meeting
from lbaas.lab.topology import FABRIC_ADDRESS

# The guest's memory is an unlinked file there. On a disk it would be written back again and again.
MEMORY_DIRECTORY = "/dev/shm"  # noqa: S108 - nothing of it can be opened by name

START_TIMEOUT_S = 60
TAIL = 3000


@dataclass(frozen=True)
class House:
    """The fabric and its process group. *machines* is where, in the lab, each machine has a directory."""

    process: subprocess.Popen[bytes]
    lifeline: Lifeline
    share: Path
    machines: Path

    def close(self) -> None:
        """No process of the lab is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.lifeline.release()

    def last_words(self) -> str:
        """The end of the guest's kernel log and of the fabric's."""
        logs = (self.share / "kernel.log", self.share / "fabric.log")
        return "\n".join(f"{log.name}: {_tail(log)}" for log in logs if log.exists())

    def welcome(self, control: socket.socket) -> socket.socket:
        """The fabric's connection. Raises LabError with its last words if it does not come."""
        control.settimeout(0.5)  # between looks at whether it still lives
        for _ in range(START_TIMEOUT_S * 2):
            with contextlib.suppress(TimeoutError):
                connection, _ = control.accept()
                connection.settimeout(None)
                return connection
            if self.process.poll() is not None:
                break
        raise LabError(f"the lab did not come up\n{self.last_words()}")


def start(
    share: Path, meeting: Meeting, progress: Progress, memory_mb: int = guest.MEMORY_MB
) -> House:
    """The fabric is on its way to *meeting*; a guest has *memory_mb*."""
    if place() is Place.HOST:
        progress("making namespaces on this machine")
        return _start_on_host(share, meeting)
    kernel = ensure(progress)
    progress("booting the guest")
    command = _fabric(meeting, "--uplink", guest.UPLINK, "--address", str(FABRIC_ADDRESS))
    wire = meeting.wire.fileno()
    argv = guest.prepare(kernel, share, wire, command, DATA_PATH_MODULES, memory_mb)
    process = _launch(argv, share / "kernel.log", wire, TMPDIR=MEMORY_DIRECTORY)
    return House(process, Lifeline(process.pid), share, Path("/run/lbaas-lab"))


def _start_on_host(share: Path, meeting: Meeting) -> House:
    # what fails to load is built in, or else place() was overruled by hand
    subprocess.run([find_program("modprobe") or "modprobe", "-aq", *DATA_PATH_MODULES], check=False)
    # A pid namespace dies with its first process, which is the fabric; unshare passes its end on.
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    namespace = str(meeting.namespace_fd)
    fabric = _fabric(meeting, "--uplink", LAB_END, "--namespace-fd", namespace)
    process = _launch([*unshare, *fabric], share / "fabric.log", meeting.namespace_fd)
    return House(process, Lifeline(process.pid), share, share / "machines")


def _fabric(meeting: Meeting, *options: str) -> list[str]:
    host, port = meeting.control.getsockname()
    return [sys.executable, "-m", "lbaas.lab.fabric", "--controller", f"{host}:{port}", *options]


def _launch(
    argv: Sequence[str], log: Path, inherited: int, **environment: str
) -> subprocess.Popen[bytes]:
    """*argv* runs as leader of a process group."""
    with log.open("wb") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(inherited,),
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment},
        )


def _tail(log: Path) -> str:
    return log.read_bytes()[-TAIL:].decode(errors="replace")
