"""Steps, sent to the kernel."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import TypeVar

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
    Message,
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
    CreateService,
    EditDestination,
    IpvsStep,
    RemoveDestination,
    RemoveService,
    SetScheduler,
)
from lbaas.dataplane.steps import Outcome, Step
from lbaas.domain.terms import Encapsulation, Forwarding
from lbaas.errors import StepFailed

S = TypeVar("S", bound=Step)

# So many messages are encoded together: a large start must not hold all of them in memory.
_AT_ONCE = 2048

_METHOD = {Forwarding.TUNNEL: Method.TUNNEL, Forwarding.DIRECT: Method.DIRECT}
_TUNNEL_TYPE = {
    Encapsulation.IPIP: TunnelType.IPIP,
    Encapsulation.GUE: TunnelType.GUE,
    Encapsulation.GRE: TunnelType.GRE,
}


def apply(ipvs: IpvsSocket, steps: Sequence[IpvsStep]) -> Outcome[IpvsStep]:
    """All *steps* were tried, in order; one that failed stops no other."""
    codes: list[int] = []
    removing = not {RemoveDestination, RemoveService}.isdisjoint(map(type, steps))
    with flows_end_with_their_destination() if removing else nullcontext():
        for start in range(0, len(steps), _AT_ONCE):
            codes += ipvs.send([*_messages(steps[start : start + _AT_ONCE])])
    return _outcome(steps, codes)


def apply_connections(ipvs: IpvsSocket, steps: Sequence[ConnectionStep]) -> Outcome[ConnectionStep]:
    """As ``apply``, for what concerns the whole node.

    The end of a daemon that has not run yet is EINTR (kthread_stop), which netlink leaves unanswered: so
    something that changes nothing comes last, and is.
    """
    messages = [_connection_message(step) for step in steps]
    codes = ipvs.send([*messages, Message(Command.SET_CONFIG, encode_timeouts(0, 0, 0))])
    return _outcome(steps, codes[:-1])


def _outcome(steps: Sequence[S], codes: Sequence[int]) -> Outcome[S]:
    applied = tuple(step for step, code in zip(steps, codes, strict=True) if not code)
    failed = tuple(
        (step, StepFailed("ipvs", type(step).__name__, step.key, _cause(code)))
        for step, code in zip(steps, codes, strict=True)
        if code
    )
    return Outcome(applied, failed)


def _connection_message(step: ConnectionStep) -> Message:
    match step:
        case SetTimeouts(timeouts=each):
            body = encode_timeouts(each.tcp_s, each.tcp_fin_s, each.udp_s)
            return Message(Command.SET_CONFIG, body)
        case StartDaemon(daemon=daemon) | StopDaemon(daemon=daemon):
            command = Command.NEW_DAEMON if isinstance(step, StartDaemon) else Command.DEL_DAEMON
            return Message(command, encode_daemon(daemon.state, daemon.device, daemon.sync_id))


def _messages(steps: Iterable[IpvsStep]) -> Iterator[Message]:
    """One for each step. What names a service, and what a destination is, is encoded once for all that share it."""
    key: ServiceKey | None = None
    name = b""
    encoded: dict[int, bytes] = {}
    for step in steps:
        if step.service is not key:
            key = step.service
            name = encode_service(key.family, key.mark)
        match step:  # in the order of how many there are
            case AddDestination(destination=new) | EditDestination(destination=new):
                body = encoded.get(id(new))
                if body is None:
                    body = encoded[id(new)] = _destination(new)
                adding = type(step) is AddDestination
                yield Message(Command.NEW_DEST if adding else Command.SET_DEST, name + body)
            case CreateService(flags=flags):
                body = encode_service(key.family, key.mark, FIRST_SCHEDULER, flags)
                yield Message(Command.NEW_SERVICE, body)
            case SetScheduler(scheduler=scheduler, flags=flags, persistence=persistence):
                yield Message(Command.SET_SERVICE, _service(key, scheduler, flags, persistence))
            case RemoveService():
                yield Message(Command.DEL_SERVICE, name)
            case RemoveDestination(address=address):
                yield Message(Command.DEL_DEST, name + encode_destination(address))


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
