"""One Service brought to what its spec says, from whatever state it and lbaas are in."""

import hashlib
from collections.abc import Mapping, Sequence

import structlog

from lbaas.client.asynchronous import AsyncApiClient
from lbaas.client.problems import (
    ApiProblem,
    ChangedMeanwhile,
    InFlight,
    NotFound,
    RateLimited,
    ServerFailed,
)
from lbaas.domain.addresses import Address
from lbaas.errors import ServerUnavailable
from lbaas.kube import reading, status
from lbaas.kube.cluster import Cluster, now_text
from lbaas.kube.desired import Owner, Unservable, Wanted, wanted
from lbaas.kube.lbaas_side import Application, observe
from lbaas.kube.placement import placement
from lbaas.kube.plan import keep, plan
from lbaas.kube.records import FINALIZER, Condition, Key, Service
from lbaas.kube.status import Shown
from lbaas.kube.view import View

log = structlog.get_logger()

# No word about the Service: another controller was first, or the server has much to do.
_PASSING = (ChangedMeanwhile, InFlight, NotFound, RateLimited, ServerFailed)


class Reconciler:
    """Keeps nothing between two calls but which Events it has told."""

    def __init__(
        self,
        cluster: Cluster,
        api: AsyncApiClient,
        view: View,
        name: str,
        balancer_class: str,
        address_pools: Mapping[int, str],
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._view = view
        self._name = name
        self._class = balancer_class
        self._address_pools = address_pools
        self._told: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> bool:
        """lbaas and the Service's status are as its spec says, or an Event says why not. False: look again soon.

        Raises ApiProblem, ServerUnavailable or ClusterUnavailable where it should be tried again later.
        """
        service = self._view.services.known.get(key)
        owner = Owner(self._name, key)
        if service is None or service.deleting or not service.ours:
            await self._release(service, owner)
            return True
        service = await self._hold(service)
        try:
            around = self._view.around(key)
            target = wanted(service, around, owner, self._address_pools)
        except Unservable as no:
            await self._refuse(service, no.reason, no.message)
            return True
        try:
            return await self._serve(service, target)
        except _PASSING:
            raise
        except ApiProblem as problem:
            await self._refuse(service, _reason(problem), _message(problem))
            raise
        except ServerUnavailable as error:
            await self._tell(service, "Warning", "LbaasUnavailable", str(error))
            raise

    async def _release(self, service: Service | None, owner: Owner) -> None:
        """Nothing in lbaas is the Service's, and then the Service may go."""
        held = await observe(self._api, owner)
        await Application(self._api, owner, {}, None).carry_out(plan(held, None))
        self._told.pop(owner.key, None)
        if service is None or not service.held:
            return
        if not service.deleting:
            service = await self._show(service, status.released(service))
        others = [each for each in service.finalizers if each != FINALIZER]
        await self._cluster.set_finalizers(service, others)
        log.info("released", service=str(owner.key))

    async def _hold(self, service: Service) -> Service:
        """The Service can't go before its VIPs."""
        if service.held:
            return service
        found = await self._cluster.set_finalizers(service, [*service.finalizers, FINALIZER])
        return reading.service(found, self._class)

    async def _serve(self, service: Service, target: Wanted) -> bool:
        held = await observe(self._api, target.owner)
        steps = plan(held, target)
        kept = keep(held, target)
        ids = {family: vip.id for family, vip in kept.vips.items()}
        application = Application(self._api, target.owner, ids, kept.pool.id if kept.pool else None)
        application.addresses |= {family: vip.address for family, vip in kept.vips.items()}
        await application.carry_out(steps)
        if steps:
            log.info("applied", service=str(service.key), steps=len(steps))
        return await self._follow_up(service, target, application)

    async def _follow_up(self, service: Service, target: Wanted, application: Application) -> bool:
        """Status and readiness gates say how far it is. True if nothing is waited for."""
        statuses = [await self._api.status(str(each)) for each in application.vips.values()]
        programmed = all(each.programmed for each in statuses)
        vips = [application.addresses[vip.family] for vip in target.vips]
        local = placement(service, target.members.values(), statuses, now_text())
        await self._say(service, vips, local, programmed=programmed)
        endpoints = self._view.around(service.key).endpoints
        answering = status.answering(statuses)
        ready, others_wait = status.opening(endpoints, self._view.pods.known, answering)
        for pod in ready:
            await self._cluster.open_gate(pod)
        return programmed and not others_wait

    async def _say(
        self,
        service: Service,
        vips: Sequence[Address],
        local: Condition | None,
        *,
        programmed: bool,
    ) -> None:
        """The status says how far it is, and an Event what is new about it."""
        shown = status.served(service, vips, programmed=programmed, now=now_text(), local=local)
        await self._show(service, shown)
        if local is not None and local.status == "False":
            await self._tell(service, "Warning", local.reason, local.message)
        elif shown != status.present(service):
            message = f"{', '.join(map(str, vips))}: {shown.conditions[-1].message}"
            await self._tell(service, "Normal", "Served", message)

    async def _show(self, service: Service, shown: Shown) -> Service:
        if shown == status.present(service):
            return service
        found = await self._cluster.set_status(service, shown.document)
        return reading.service(found, self._class)

    async def _refuse(self, service: Service, reason: str, message: str) -> None:
        """The Service says why it is not served; what serves it already goes on."""
        await self._tell(service, "Warning", reason, message)
        await self._show(service, status.refused(service, reason, message, now_text()))

    async def _tell(self, service: Service, kind: str, reason: str, message: str) -> None:
        """An Event, unless it is the last one told of this Service."""
        digest = hashlib.sha256(f"{service.uid}/{reason}/{message}".encode()).hexdigest()[:16]
        if self._told.get(service.key) != digest:
            name = f"{service.key.name}.{digest}"
            await self._cluster.emit(service, name, kind, reason, message)
            self._told[service.key] = digest


def _reason(problem: ApiProblem) -> str:
    """``/errors/quota-exceeded`` → ``QuotaExceeded``."""
    words = problem.type.rpartition("/")[2] or "refused"
    return "".join(word.capitalize() for word in words.split("-"))


def _message(problem: ApiProblem) -> str:
    fields = [f"{bad.pointer or bad.parameter}: {bad.detail}" for bad in problem.problems]
    return "; ".join((problem.detail, *fields))
