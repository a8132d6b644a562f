"""Processes beside the bench, and what each has used, as the kernel says."""

import os
import socket
import subprocess
from pathlib import Path


def start(command: list[str], listening: socket.socket, **settings: str) -> subprocess.Popen[bytes]:
    """A server that is given the socket."""
    return subprocess.Popen(command, env={**os.environ, **settings}, pass_fds=[listening.fileno()])


def cpu_s(process: int) -> float:
    """Of all its threads; to the nanosecond, where /proc/PID/stat counts hundredths of a second."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


def rss_kib(process: int) -> int:
    """Its resident memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
