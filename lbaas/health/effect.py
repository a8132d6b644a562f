"""What verdicts and deadlines make of a cluster's services on this node. Pure."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lbaas.domain.addresses import Address
from lbaas.domain.terms import WhenNoBackend
from lbaas.wire.state import Backend, VirtualService


@dataclass(frozen=True)
class Outlook:
    """A service as this node shall hold it. *served*: somebody is there to answer its clients."""

    service: VirtualService
    served: bool


def outlook(service: VirtualService, unfit: AbstractSet[Address], now_s: float) -> Outlook:
    """*service* without the backends whose drain is over, and with weight 0 for the *unfit* ones.

    Fewer fit backends than the quorum are none: then ``when_no_backend`` decides. ``reject`` sets all weights
    to 0, and IPVS refuses new connections; flows that live go on. *now_s* is seconds since the epoch.
    """
    present = tuple(each for each in service.backends if not drained(each, now_s))
    if service.monitor is None:
        return Outlook(_with(service, present), served=True)
    fit = sum(1 for each in present if each.weight and each.address not in unfit)
    if fit >= service.quorum:
        return Outlook(_with(service, _without_traffic(present, unfit)), served=True)
    match service.when_no_backend:
        case WhenNoBackend.SEND_TO_ALL:
            return Outlook(_with(service, present), served=True)
        case WhenNoBackend.REJECT:
            everyone = {each.address for each in present}
            return Outlook(_with(service, _without_traffic(present, everyone)), served=False)
        case WhenNoBackend.WITHDRAW:
            return Outlook(_with(service, _without_traffic(present, unfit)), served=False)


def withdrawn(outlooks: Iterable[Outlook]) -> frozenset[Address]:
    """The VIPs that this node shall not announce: those that ask for it, and of which nothing is served."""
    served: set[Address] = set()
    unserved: set[Address] = set()
    for each in outlooks:
        if each.served:
            served.add(each.service.vip)
        elif each.service.when_no_backend is WhenNoBackend.WITHDRAW:
            unserved.add(each.service.vip)
    return frozenset(unserved - served)


def drained(backend: Backend, now_s: float) -> bool:
    """True if the backend's drain is over."""
    return backend.drain_until is not None and backend.drain_until <= now_s


def _without_traffic(
    backends: tuple[Backend, ...], which: AbstractSet[Address]
) -> tuple[Backend, ...]:
    return tuple(
        each.model_copy(update={"weight": 0}) if each.weight and each.address in which else each
        for each in backends
    )


def _with(service: VirtualService, backends: tuple[Backend, ...]) -> VirtualService:
    if backends == service.backends:
        return service
    return service.model_copy(update={"backends": backends})
