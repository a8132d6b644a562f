"""Steps, sent to the kernel."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, islice
from typing import TypeVar

from lbaas.dataplane.genetlink import command
from lbaas.dataplane.ipvs.connections import (
    ConnectionStep,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
)
from lbaas.dataplane.ipvs.desired import PERSISTENT, Destination, Persistence, ServiceKey
from lbaas.dataplane.ipvs.files import flows_end_with_their_destination
from lbaas.dataplane.ipvs.netlink import (
    Command,
    IpvsSocket,
    Method,
    TunnelType,
    encode_daemon,
    encode_destination,
    encode_service,
    encode_timeouts,
)
from lbaas.dataplane.ipvs.plan import (
    FIRST_SCHEDULER,
    AddDestination,
    AddService,
    CreateService,
    EditDestination,
    IpvsStep,
    RemoveDestination,
    RemoveService,
    SetScheduler,
    frame,
    parts,
)
from lbaas.dataplane.steps import Outcome, Step
from lbaas.domain.terms import Encapsulation, Forwarding
from lbaas.errors import StepFailed

S = TypeVar("S", bound=Step)

# The messages of so many steps are encoded together: a large start must not hold all of them in memory.
_AT_ONCE = 512

_METHOD = {Forwarding.TUNNEL: Method.TUNNEL, Forwarding.DIRECT: Method.DIRECT}
_TUNNEL_TYPE = {
    Encapsulation.IPIP: TunnelType.IPIP,
    Encapsulation.GUE: TunnelType.GUE,
    Encapsulation.GRE: TunnelType.GRE,
}


def apply(ipvs: IpvsSocket, steps: Sequence[IpvsStep]) -> Outcome[IpvsStep]:
    """All *steps* were tried, in order; one that failed stops no other. Of a service that was added, parts may fail."""
    applied: list[IpvsStep] = []
    failed: list[tuple[IpvsStep, StepFailed]] = []
    removing = not {RemoveDestination, RemoveService}.isdisjoint(map(type, steps))
    with flows_end_with_their_destination() if removing else nullcontext():
        for start in range(0, len(steps), _AT_ONCE):
            some = steps[start : start + _AT_ONCE]
            codes = ipvs.send([*chain.from_iterable(map(Encoder().commands, some))])
            if not any(codes):
                applied += some
                continue
            of_part = iter(codes)
            for step in some:
                outcome = _outcome(tried := [*parts(step)], [*islice(of_part, len(tried))])
                applied += outcome.applied if outcome.failed else [step]
                failed += outcome.failed
    return Outcome(tuple(applied), tuple(failed))


def apply_connections(ipvs: IpvsSocket, steps: Sequence[ConnectionStep]) -> Outcome[ConnectionStep]:
    """As ``apply``, for what concerns the whole node.

    The end of a daemon that has not run yet is EINTR (kthread_stop), which netlink leaves unanswered: so
    something that changes nothing comes last, and is.
    """
    commands = [_connection_command(step) for step in steps]
    codes = ipvs.send([*commands, command(Command.SET_CONFIG, encode_timeouts(0, 0, 0))])
    return _outcome(steps, codes[:-1])


def _outcome(steps: Sequence[S], codes: Sequence[int]) -> Outcome[S]:
    applied = tuple(step for step, code in zip(steps, codes, strict=True) if not code)
    failed = tuple(
        (step, StepFailed("ipvs", type(step).__name__, step.key, _cause(code)))
        for step, code in zip(steps, codes, strict=True)
        if code
    )
    return Outcome(applied, failed)


def _connection_command(step: ConnectionStep) -> bytes:
    match step:
        case SetTimeouts(timeouts=each):
            body = encode_timeouts(each.tcp_s, each.tcp_fin_s, each.udp_s)
            return command(Command.SET_CONFIG, body)
        case StartDaemon(daemon=daemon) | StopDaemon(daemon=daemon):
            number = Command.NEW_DAEMON if isinstance(step, StartDaemon) else Command.DEL_DAEMON
            return command(number, encode_daemon(daemon.state, daemon.device, daemon.sync_id))


_NEW_DEST, _SET_DEST = command(Command.NEW_DEST), command(Command.SET_DEST)


class Encoder:
    """Encodes steps. What names a service, and what a destination is, is encoded once for all that share it.

    The steps must outlive it: it knows destinations by their identity.
    """

    def __init__(self) -> None:
        self._key: ServiceKey | None = None
        self._name = b""
        self._destinations: dict[int, bytes] = {}

    def commands(self, step: IpvsStep) -> Iterator[bytes]:
        """One for each of the step's parts."""
        key = step.service
        if key is not self._key:
            self._key = key
            self._name = encode_service(key.family, key.mark)
        match step:
            case AddService():
                yield from self._whole(step)
            case AddDestination(destination=new):
                yield _NEW_DEST + self._name + self._destination(new)
            case EditDestination(destination=new):
                yield _SET_DEST + self._name + self._destination(new)
            case CreateService(flags=flags):
                body = encode_service(key.family, key.mark, FIRST_SCHEDULER, flags)
                yield command(Command.NEW_SERVICE, body)
            case SetScheduler(scheduler=scheduler, flags=flags, persistence=persistence):
                yield command(Command.SET_SERVICE, _service(key, scheduler, flags, persistence))
            case RemoveService():
                yield command(Command.DEL_SERVICE, self._name)
            case RemoveDestination(address=address):
                yield command(Command.DEL_DEST, self._name + encode_destination(address))

    def _whole(self, step: AddService) -> Iterator[bytes]:
        """Without an object for each destination: they are most of a large start."""
        before, after = frame(step)
        yield from self.commands(before)
        head = _NEW_DEST + self._name
        for new in step.content.destinations:
            yield head + self._destination(new)
        for part in after:
            yield from self.commands(part)

    def _destination(self, new: Destination) -> bytes:
        found = self._destinations.get(id(new))
        if found is None:
            found = self._destinations[id(new)] = _destination(new)
        return found


def _service(key: ServiceKey, scheduler: str, flags: int, persistence: Persistence | None) -> bytes:
    if persistence is None:
        return encode_service(key.family, key.mark, scheduler, flags)
    timeout_s, prefix = persistence.timeout_s, persistence.prefix
    return encode_service(key.family, key.mark, scheduler, flags | PERSISTENT, timeout_s, prefix)


def _destination(new: Destination) -> bytes:
    method = _METHOD[new.forwarding or Forwarding.TUNNEL]
    tunnel_type = _TUNNEL_TYPE[new.encapsulation]
    return encode_destination(new.address, method, new.weight, tunnel_type, new.port)


# What these mean here; os.strerror would speak of processes and files.
_CAUSES = {
    errno.ESRCH: "the kernel has no such service",
    errno.ENOENT: "the kernel has no such destination, or no such scheduler module",
    errno.EEXIST: "the kernel has it already",
}


def _cause(code: int) -> str:
    return _CAUSES.get(code) or os.strerror(code)
