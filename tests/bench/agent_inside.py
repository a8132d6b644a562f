"""Runs on a machine of the lab: prints what it measured as one JSON document."""

import json
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from ipaddress import IPv4Address
from itertools import chain, islice
from pathlib import Path

from lbaas.dataplane.genetlink import command
from lbaas.dataplane.ipvs.apply import apply
from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey, ServiceTable
from lbaas.dataplane.ipvs.netlink import (
    Command,
    DestinationEntry,
    IpvsSocket,
    Method,
    encode_destination,
    encode_service,
)
from lbaas.dataplane.ipvs.observe import observe
from lbaas.dataplane.ipvs.plan import EditDestination, plan
from lbaas.domain.terms import Forwarding
from lbaas.node_agent.reconcile import undisturbed
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
BACKENDS = [IPv4Address(f"10.0.20.{number}") for number in (11, 12, 13, 14)]


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


NETLINK = socket.AF_NETLINK, socket.SOCK_RAW, 16  # NETLINK_GENERIC
HEADER = struct.Struct("=IHHII")
REQUEST, ACK = 0x1, 0x4
IN_A_DATAGRAM = 320

# A service's scheduler and flags; ``mh`` has the kernel fill a table of its own for each service.
FLAGS = {"mh": 0x18, "rr": 0}


def table(services: int, scheduler: str) -> ServiceTable:
    destinations = tuple(Destination(address, Forwarding.TUNNEL, 1) for address in BACKENDS)
    return {
        ServiceKey(4, MARKS.first + number): Service(scheduler, FLAGS[scheduler], destinations)
        for number in range(services)
    }


def raw_commands(services: int, scheduler: str) -> Iterator[bytes]:
    for mark in range(MARKS.first, MARKS.first + services):
        name = encode_service(4, mark)
        yield command(Command.NEW_SERVICE, encode_service(4, mark, "rr"))
        for address in BACKENDS:
            means = encode_destination(address, Method.TUNNEL, 1)
            yield command(Command.NEW_DEST, name + means)
        if scheduler != "rr":
            whole = encode_service(4, mark, scheduler, FLAGS[scheduler])
            yield command(Command.SET_SERVICE, whole)


def datagrams(commands: Iterator[bytes], family: int) -> Iterator[bytes]:
    """As a program in C could have them at hand: so many messages in each, of which the last asks for an answer."""
    while some := [*islice(commands, IN_A_DATAGRAM)]:
        heads = (
            HEADER.pack(HEADER.size + len(each), family, REQUEST, number, 0)
            for number, each in enumerate(some[:-1])
        )
        last = HEADER.pack(HEADER.size + len(some[-1]), family, REQUEST | ACK, len(some), 0)
        yield b"".join(chain.from_iterable(zip((*heads, last), some, strict=True)))


def converge(ipvs: IpvsSocket, desired: ServiceTable) -> int:
    steps = plan(observe(ipvs, MARKS), desired)
    applied = [apply(ipvs, half) for half in (steps.establish, steps.withdraw)]
    assert not any(outcome.failed for outcome in applied)
    return len(steps)


def raw(services: int, scheduler: str) -> dict[str, float | str]:
    with closing(IpvsSocket()) as ipvs, socket.socket(*NETLINK) as kernel:
        made = [*datagrams(raw_commands(services, scheduler), ipvs._generic._family)]

        def loop() -> None:
            for each in made:
                kernel.send(each)
                kernel.recv_into(answer)

        answer = bytearray(65536)
        seconds = timed(loop)
        if len(ipvs.destinations(4, MARKS.first + services - 1)) != len(BACKENDS):
            sys.exit("the raw batch was refused")
        converge(ipvs, {})  # the guest has memory for one of these tables
        return {"raw": seconds}


def measure_converging(services: int, scheduler: str) -> dict[str, float | str]:
    wanted = table(services, scheduler)
    with closing(IpvsSocket()) as ipvs:
        full = timed(lambda: converge(ipvs, wanted))
        nothing = timed(lambda: converge(ipvs, wanted))
        writes = converge(ipvs, wanted)
        one = statistics.median(timed(partial(apply, ipvs, [step])) for step in edits())
        show = ["ipvsadm", "-Sn"]
        saved = subprocess.run(show, capture_output=True, text=True, check=True).stdout
        converge(ipvs, {})
    return {
        "full": full,
        "nothing": nothing,
        "writes": writes,
        "one": one,
        "saved": saved,
    }


def edits() -> Iterator[EditDestination]:
    """A weight of one destination after the other."""
    for number in range(21):
        drained = Destination(BACKENDS[0], Forwarding.TUNNEL, 0)
        yield EditDestination(ServiceKey(4, MARKS.first + number), drained)


def restore(_: int, __: str) -> dict[str, float | str]:
    saved = sys.stdin.read()
    run = ["ipvsadm", "-R"]
    return {"restore": timed(lambda: subprocess.run(run, input=saved, text=True, check=True))}


class Keepalived:
    """A running one, from its start. *check* is what its configuration says of each backend of each service."""

    def __init__(self, program: str, services: int, scheduler: str, check: str) -> None:
        self._directory = Path(tempfile.mkdtemp())
        self._made_of = services, scheduler, check
        # It sets the services in order, so the last one's last backend is the end.
        self._last = MARKS.first + services - 1
        self._configure()
        argv = [program, "-n", "-C", "-D", "-l", "-f", str(self._directory / "keepalived.conf")]
        argv += [*("-p", str(self._directory / "pid")), "-c", str(self._directory / "checkers.pid")]
        self._begun = time.monotonic()
        with (self._directory / "log").open("wb") as log:
            self._running = subprocess.Popen(argv, stdout=log, stderr=log)

    def started(self, ipvs: IpvsSocket) -> float:
        """Seconds from its start until the kernel has all."""
        return self._until(lambda: len(_backends(ipvs, self._last)) == len(BACKENDS)) - self._begun

    def reloaded(self, ipvs: IpvsSocket) -> float:
        """Seconds from the signal until the kernel has a changed weight."""
        self._configure(last_weight=7)
        asked = time.monotonic()
        self._running.send_signal(signal.SIGHUP)
        changed = self._until(lambda: any(each.weight == 7 for each in _backends(ipvs, self._last)))
        return changed - asked

    def end(self) -> None:
        """It is gone; its services stay."""
        self._running.kill()
        self._running.wait()

    def _configure(self, last_weight: int = 1) -> None:
        text = _keepalived_conf(*self._made_of, last_weight)
        (self._directory / "keepalived.conf").write_text(text)

    def _until(self, holds: Callable[[], bool]) -> float:
        while not holds():
            if self._running.poll() is not None:
                sys.exit((self._directory / "log").read_text()[-2000:])
            time.sleep(0.05)
        return time.monotonic()


def keepalived(services: int, scheduler: str, check: str = "") -> dict[str, float | str]:
    """Its start and, without checks, a reload, which takes minutes with them. Nothing where it is not installed."""
    program = shutil.which("keepalived", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        return {}
    running = Keepalived(program, services, scheduler, check)
    found: dict[str, float | str] = {}
    with closing(IpvsSocket()) as ipvs:
        found["keepalived"] = running.started(ipvs)
        if not check:
            found["reload"] = running.reloaded(ipvs)
    running.end()
    return found


def _backends(ipvs: IpvsSocket, mark: int) -> list[DestinationEntry]:
    try:
        return ipvs.destinations(4, mark)
    except OSError:  # there is no such service yet
        return []


def _keepalived_conf(services: int, scheduler: str, check: str, last_weight: int) -> str:
    last = MARKS.first + services - 1
    return "".join(
        f"virtual_server fwmark {mark} {{\n  delay_loop 10\n  lvs_sched {scheduler}\n  lvs_method TUN\n"
        f"{_real_servers(last_weight if mark == last else 1, check)}}}\n"
        for mark in range(MARKS.first, MARKS.first + services)
    )


# A backend that fails stays, with weight 0, as with us.
CHECK = """\
    inhibit_on_failure
    TCP_CHECK {
      connect_port 80
      connect_timeout 2
    }
"""


def _real_servers(weight: int, check: str) -> str:
    return "".join(
        f"  real_server {address} 0 {{\n    weight {weight}\n{check}  }}\n" for address in BACKENDS
    )


if __name__ == "__main__":
    measurements: dict[str, Callable[[int, str], dict[str, float | str]]] = {
        "raw": raw,
        "converge": measure_converging,
        "restore": restore,
        "keepalived": keepalived,
        "keepalived_checked": partial(keepalived, check=CHECK),
    }
    undisturbed()  # as in an agent
    print(json.dumps(measurements[sys.argv[1]](int(sys.argv[2]), sys.argv[3])))
