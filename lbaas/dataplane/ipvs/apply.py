"""Steps, sent to the kernel."""

import errno
import os
from collections.abc import Sequence

from lbaas.dataplane.ipvs.netlink import (
    Command,
    IpvsSocket,
    Message,
    Method,
    encode_destination,
    encode_service,
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
from lbaas.dataplane.steps import Outcome
from lbaas.domain.terms import Forwarding
from lbaas.errors import StepFailed

_METHOD = {Forwarding.TUNNEL: Method.TUNNEL, Forwarding.DIRECT: Method.DIRECT}


def apply(ipvs: IpvsSocket, steps: Sequence[IpvsStep]) -> Outcome[IpvsStep]:
    """All *steps* were tried, in order; one that failed stops no other."""
    codes = ipvs.send([_message(step) for step in steps])
    applied = tuple(step for step, code in zip(steps, codes, strict=True) if not code)
    failed = tuple(
        (step, StepFailed("ipvs", type(step).__name__, step.key, _cause(code)))
        for step, code in zip(steps, codes, strict=True)
        if code
    )
    return Outcome(applied, failed)


def _message(step: IpvsStep) -> Message:
    family, mark = step.service.family, step.service.mark
    match step:
        case CreateService():
            return Message(Command.NEW_SERVICE, encode_service(family, mark, FIRST_SCHEDULER))
        case SetScheduler(scheduler=scheduler, flags=flags):
            return Message(Command.SET_SERVICE, encode_service(family, mark, scheduler, flags))
        case RemoveService():
            return Message(Command.DEL_SERVICE, encode_service(family, mark))
        case AddDestination(destination=new) | EditDestination(destination=new):
            command = Command.NEW_DEST if isinstance(step, AddDestination) else Command.SET_DEST
            method = _METHOD[new.forwarding or Forwarding.TUNNEL]
            body = encode_destination(new.address, method, new.weight)
            return Message(command, encode_service(family, mark) + body)
        case RemoveDestination(address=address):
            body = encode_service(family, mark) + encode_destination(address)
            return Message(Command.DEL_DEST, body)


# What these mean here; os.strerror would speak of processes and files.
_CAUSES = {
    errno.ESRCH: "the kernel has no such service",
    errno.ENOENT: "the kernel has no such destination, or no such scheduler module",
    errno.EEXIST: "the kernel has it already",
}


def _cause(code: int) -> str:
    return _CAUSES.get(code) or os.strerror(code)
