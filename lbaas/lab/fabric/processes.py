"""Commands and long-lived processes inside the lab's namespaces."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lbaas.dataplane.namespaces import Namespace
from lbaas.errors import LabError
from lbaas.lab.messages import Completed, ProcessRow
from lbaas.lab.requests import Spawn

TIMED_OUT = 124  # as timeout(1) says it

# Everything else of the controller's environment stays outside: a lab behaves alike for everyone.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",  # noqa: S108 - a fresh one in the guest; nothing of ours is kept there
}


@dataclass(frozen=True)
class _Spawned:
    process: subprocess.Popen[bytes]
    request: Spawn

    def row(self) -> ProcessRow:
        return ProcessRow(
            pid=self.process.pid,
            namespace=self.request.namespace,
            name=self.request.name,
            log=self.request.log,
            status=self.process.poll(),
        )


class Processes:
    """What was started in the lab, by pid."""

    def __init__(self) -> None:
        self._spawned: dict[int, _Spawned] = {}

    def spawn(self, namespace: Namespace, request: Spawn) -> int:
        """It runs in *namespace* as leader of a process group; its output is appended to its log."""
        with Path(request.log).open("ab") as output, namespace.inside():
            process = _start(
                request.argv, request.env, subprocess.DEVNULL, output, subprocess.STDOUT
            )
        self._spawned[process.pid] = _Spawned(process, request)
        return process.pid

    def signal(self, pid: int, number: int) -> None:
        """The process group has got the signal, unless it has ended."""
        if self._process(pid).poll() is None:
            os.killpg(pid, number)

    def kill_all(self, name: str) -> None:
        """Nothing that was spawned in *name* runs any more."""
        for pid, spawned in self._spawned.items():
            if spawned.request.namespace == name:
                self.signal(pid, signal.SIGKILL)

    def table(self) -> tuple[ProcessRow, ...]:
        """Every process that was started, in that order."""
        return tuple(spawned.row() for spawned in self._spawned.values())

    async def ended(self, pid: int, timeout_s: float) -> int | None:
        """The exit status; None if *timeout_s* was not enough."""
        process = self._process(pid)
        try:
            async with asyncio.timeout(timeout_s):
                await _exit_of(process)
        except TimeoutError:
            return process.poll()
        return process.wait()

    def _process(self, pid: int) -> subprocess.Popen[bytes]:
        try:
            return self._spawned[pid].process
        except KeyError:
            raise LabError(f"the lab started no process {pid}") from None


def run(
    namespace: Namespace, argv: Sequence[str], env: Mapping[str, str], stdin: str, timeout_s: float
) -> Completed:
    """*argv* ran to its end in *namespace*, or was killed with all its children after *timeout_s*."""
    begun = time.monotonic()
    with namespace.inside():
        process = _start(argv, env, subprocess.PIPE, subprocess.PIPE, subprocess.PIPE)
    status: int | None = None
    try:
        out, err = process.communicate(stdin.encode(), timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        status = TIMED_OUT
    return Completed(
        status=process.returncode if status is None else status,
        stdout=out.decode(errors="replace"),
        stderr=err.decode(errors="replace"),
        elapsed_s=time.monotonic() - begun,
    )


def _start(
    argv: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int | IO[bytes], stderr: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=ENVIRONMENT | dict(env),
            start_new_session=True,
        )
    except OSError as error:
        raise LabError(f"can't start {argv[0]}: {error.strerror}") from error


async def _exit_of(process: subprocess.Popen[bytes]) -> None:
    """Returns once the process has ended; its status is still to be collected."""
    if process.poll() is not None:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    watch = os.pidfd_open(process.pid)
    loop.add_reader(watch, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(watch)
        os.close(watch)
