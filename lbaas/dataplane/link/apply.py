"""Devices and addresses, made and unmade."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyroute2.netlink.exceptions import NetlinkError

from lbaas.dataplane.link.desired import Kind, sit_endpoint
from lbaas.dataplane.link.netlink import Held, LinkSocket
from lbaas.dataplane.link.plan import (
    AddAddress,
    AddDevice,
    LinkStep,
    RemoveAddress,
    RemoveDevice,
)
from lbaas.dataplane.netlink import attribute
from lbaas.dataplane.steps import Outcome, try_each
from lbaas.errors import StepFailed

# From include/uapi/linux/if_tunnel.h.
_IPTUN_LOCAL, _IPTUN_COLLECT_METADATA = 2, 19
_GRE_COLLECT_METADATA = 18

A = TypeVar("A", AddAddress, RemoveAddress)


def apply(link: LinkSocket, steps: Sequence[LinkStep]) -> Outcome[LinkStep]:
    """All were tried, devices made first and unmade last; one that failed stops no other."""
    outcomes = (
        try_each(
            "link",
            [step for step in steps if isinstance(step, AddDevice)],
            lambda step: _add_device(link, step),
            NetlinkError,
        ),
        _change(link.add, link, [step for step in steps if isinstance(step, AddAddress)]),
        _change(link.remove, link, [step for step in steps if isinstance(step, RemoveAddress)]),
        try_each(
            "link",
            [step for step in steps if isinstance(step, RemoveDevice)],
            lambda step: link.devices.link("del", index=_index(link, step.name)),
            NetlinkError,
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
        code = link.create(step.name, step.kind, _options(step))
        if code:
            raise NetlinkError(code, os.strerror(code))
    link.devices.link("set", index=_index(link, step.name), state="up")


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
        case Kind.DUMMY:
            return b""


def _change(
    send: Callable[[Sequence[Held]], list[int]], link: LinkSocket, steps: Sequence[A]
) -> Outcome[A]:
    """All addresses in one go. A device that is not there makes its own addresses fail, and no others."""
    index = {step.alias.device: link.index_of(step.alias.device) or 0 for step in steps}
    codes = send([Held(index[step.alias.device], step.alias.address) for step in steps])
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
        raise NetlinkError(errno.ENODEV, f"no device {name}")
    return index
