"""Steps, sent to the kernel."""

import errno
import os
from collections.abc import Sequence
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
    Part,
    RemoveDestination,
    RemoveService,
    SetScheduler,
    first_flags,
    parts,
    scheduled_last,
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


# What a command's message begins with.
_NEW_SERVICE, _SET_SERVICE, _DEL_SERVICE, _NEW_DEST, _SET_DEST, _DEL_DEST = map(
    command,
    (
        Command.NEW_SERVICE,
        Command.SET_SERVICE,
        Command.DEL_SERVICE,
        Command.NEW_DEST,
        Command.SET_DEST,
        Command.DEL_DEST,
    ),
)


class Encoder:
    """Encodes steps; a destination that services share, once. The steps must outlive it: it knows them by identity."""

    def __init__(self) -> None:
        self._destinations: dict[int, bytes] = {}

    def commands(self, step: IpvsStep) -> list[bytes]:
        """One for each of the step's parts."""
        return self._whole(step) if isinstance(step, AddService) else [self._command(step)]

    def _whole(self, step: AddService) -> list[bytes]:
        """As its parts, but with an object for none of them: this is a large start."""
        key, service = step.service, step.content
        head = _NEW_DEST + encode_service(key.family, key.mark)
        encoded = [_NEW_SERVICE + _created(key, first_flags(service))]
        encoded += [head + self._destination(new) for new in service.destinations]
        if scheduled_last(service):
            chosen = _service(key, service.scheduler, service.flags, service.persistence)
            encoded.append(_SET_SERVICE + chosen)
        return encoded

    def _command(self, step: Part) -> bytes:
        key = step.service
        name = encode_service(key.family, key.mark)
        match step:
            case AddDestination(destination=new):
                return _NEW_DEST + name + self._destination(new)
            case EditDestination(destination=new):
                return _SET_DEST + name + self._destination(new)
            case CreateService(flags=flags):
                return _NEW_SERVICE + _created(key, flags)
            case SetScheduler(scheduler=scheduler, flags=flags, persistence=persistence):
                return _SET_SERVICE + _service(key, scheduler, flags, persistence)
            case RemoveService():
                return _DEL_SERVICE + name
            case RemoveDestination(address=address):
                return _DEL_DEST + name + encode_destination(address)

    def _destination(self, new: Destination) -> bytes:
        found = self._destinations.get(id(new))
        if found is None:
            found = self._destinations[id(new)] = _destination(new)
        return found


def _created(key: ServiceKey, flags: int) -> bytes:
    return encode_service(key.family, key.mark, FIRST_SCHEDULER, flags)


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
