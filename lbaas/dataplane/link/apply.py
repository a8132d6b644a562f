"""Devices and addresses, made and unmade."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from lbaas.dataplane.link.desired import Kind, sit_endpoint
from lbaas.dataplane.link.netlink import Held, LinkSocket
from lbaas.dataplane.link.plan import (
    AcceptAddress,
    AddAddress,
    AddDevice,
    LinkStep,
    RefuseAddress,
    RemoveAddress,
    RemoveDevice,
)
from lbaas.dataplane.netlink import attribute
from lbaas.dataplane.steps import Outcome, Step, try_each
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed

# From include/uapi/linux/if_tunnel.h.
_IPTUN_LOCAL, _IPTUN_COLLECT_METADATA = 2, 19
_GRE_COLLECT_METADATA = 18

S = TypeVar("S", bound=Step)


def apply(link: LinkSocket, steps: Sequence[LinkStep]) -> Outcome[LinkStep]:
    """All were tried, devices made first and unmade last; one that failed stops no other."""
    outcomes = (
        try_each(
            "link",
            [step for step in steps if isinstance(step, AddDevice)],
            lambda step: _add_device(link, step),
            OSError,
        ),
        _hold(link.add, link, [step for step in steps if isinstance(step, AddAddress)]),
        _route(link.accept, [step for step in steps if isinstance(step, AcceptAddress)]),
        _route(link.refuse, [step for step in steps if isinstance(step, RefuseAddress)]),
        _hold(link.remove, link, [step for step in steps if isinstance(step, RemoveAddress)]),
        try_each(
            "link",
            [step for step in steps if isinstance(step, RemoveDevice)],
            lambda step: link.delete(_index(link, step.name)),
            OSError,
        ),
    )
    applied: list[LinkStep] = []
    failed: list[tuple[LinkStep, StepFailed]] = []
    for outcome in outcomes:
        applied += outcome.applied
        failed += outcome.failed
    return Outcome(tuple(applied), tuple(failed))


def _add_device(link: LinkSocket, step: AddDevice) -> None:
    if link.index_of(step.name) is None:
        link.create(step.name, step.kind, _options(step))
    link.set_up(_index(link, step.name))


def _options(step: AddDevice) -> bytes:
    """The device's attributes.

    A tunnel that collects metadata takes packets for any local address from any sender, so one device serves
    all the nodes; which senders are let in is the guard's job (lbaas.dataplane.guard).
    """
    match step.kind:
        case Kind.IPIP | Kind.IP6TNL:
            return attribute(_IPTUN_COLLECT_METADATA, b"")
        case Kind.GRE | Kind.IP6GRE:
            return attribute(_GRE_COLLECT_METADATA, b"")
        case Kind.SIT:
            return attribute(_IPTUN_LOCAL, sit_endpoint(step.name).packed)


# What a request for a device that is not there names, so that it fails by itself. The loopback device is 1.
_NOWHERE = (1 << 31) - 1

H = TypeVar("H", AddAddress, RemoveAddress)
R = TypeVar("R", AcceptAddress, RefuseAddress)


def _route(send: Callable[[Sequence[Address]], list[int]], steps: Sequence[R]) -> Outcome[R]:
    """All routes in one go."""
    return _outcome(steps, send([step.address for step in steps]))


def _hold(
    send: Callable[[Sequence[Held]], list[int]], link: LinkSocket, steps: Sequence[H]
) -> Outcome[H]:
    """All addresses in one go. A device that is not there makes its own addresses fail, and no others."""
    devices = {step.alias.device for step in steps}
    index = {device: link.index_of(device) or _NOWHERE for device in devices}
    held = [Held(index[step.alias.device], step.alias.address) for step in steps]
    return _outcome(steps, send(held))


def _outcome(steps: Sequence[S], codes: Sequence[int]) -> Outcome[S]:
    results = list(zip(steps, codes, strict=True))
    return Outcome(
        tuple(step for step, code in results if not code),
        tuple(
            (step, StepFailed("link", type(step).__name__, step.key, os.strerror(code)))
            for step, code in results
            if code
        ),
    )


def _index(link: LinkSocket, name: str) -> int:
    index = link.index_of(name)
    if index is None:
        raise OSError(errno.ENODEV, f"no device {name}")
    return index
