"""Runs on a machine of the lab: prints what a check costs its process as one JSON document."""

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lbaas.domain.terms import ProbeKind, ProbeTarget
from lbaas.health.checks import Check
from lbaas.health.prober import Prober
from lbaas.health.verdicts import presumed_fit
from lbaas.health.watch import Watch
from lbaas.wire.state import Monitor

PORT = 8000
WARM_UP_S, MEASURED_S = 6.0, 16.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Pace:
    """So many *targets*, each asked every *interval_s*."""

    targets: int
    interval_s: int

    @property
    def addresses(self) -> Iterator[IPv4Address]:
        return (IPv4Address("127.1.0.1") + number for number in range(self.targets))


def accept_and_count(counter: mmap.mmap) -> None:
    """Every connection to PORT of any address is accepted, counted and closed; never returns."""
    listener = socket.create_server(("0.0.0.0", PORT), backlog=4096)  # noqa: S104  # all of 127.0.0.0/8
    accepted = 0
    while True:
        connection, _ = listener.accept()
        connection.close()
        accepted += 1
        counter[:8] = accepted.to_bytes(8, "little")


def configuration(pace: Pace) -> str:
    """One virtual server with all targets as real servers."""
    servers = "".join(
        f"  real_server {address} {PORT} {{ TCP_CHECK {{ connect_timeout 2 }} }}\n"
        for address in pace.addresses
    )
    return (
        "virtual_server 198.51.100.1 80 {\n"
        f"  delay_loop {pace.interval_s}\n  lb_algo rr\n  lb_kind TUN\n  protocol TCP\n{servers}}}\n"
    )


def probe_forever(pace: Pace) -> None:
    monitor = Monitor(
        kind=ProbeKind.TCP,
        target=ProbeTarget.MEMBER,
        port=PORT,
        interval_ms=pace.interval_s * 1000,
        timeout_ms=2000,
        rise=1,
        fall=3,
    )
    prober = Prober()
    now_s = time.monotonic()
    prober.begin(Watch(Check(monitor, address), presumed_fit(now_s)) for address in pace.addresses)
    prober.run(lambda _: None)


def cpu_s(leader: int) -> float:
    """Processor time of the process *leader* and of those that it started, the kernel's part included."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if leader in (int(stat.parent.name), int(fields[1])):
            total += (int(fields[11]) + int(fields[12])) * TICK_S
    return total


def measure(argv: list[str], counter: mmap.mmap) -> dict[str, float]:
    with Path(tempfile.gettempdir(), "subject.log").open("wb") as log:
        subject = subprocess.Popen(argv, stdout=log, stderr=log)
    time.sleep(WARM_UP_S)
    begun_s, cpu = time.monotonic(), cpu_s(subject.pid)
    before = int.from_bytes(counter[:8], "little")
    time.sleep(MEASURED_S)
    checks = int.from_bytes(counter[:8], "little") - before
    cpu, took_s = cpu_s(subject.pid) - cpu, time.monotonic() - begun_s
    subject.terminate()
    subject.wait()
    return {"per_second": checks / took_s, "cpu_ms": cpu / checks * 1000}


def subject(what: str, program: str, pace: Pace) -> list[str]:
    if what == "prober":
        return [program, __file__, "forever", program, str(pace.targets), str(pace.interval_s)]
    file = Path(tempfile.mkdtemp()) / "keepalived.conf"
    file.write_text(configuration(pace))
    return [program, "--dont-fork", "--check", "--use-file", str(file)]


def main() -> None:
    what, program, targets, interval_s = sys.argv[1:]
    pace = Pace(int(targets), int(interval_s))
    if what == "forever":
        probe_forever(pace)
        return
    counter = mmap.mmap(-1, 8)
    child = os.fork()
    if not child:
        accept_and_count(counter)
    try:
        print(json.dumps(measure(subject(what, program, pace), counter)))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
