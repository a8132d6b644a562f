"""The controller as a process: it watches always, and works while it leads."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from lbaas.client.api import Retries
from lbaas.client.asynchronous import AsyncApiClient
from lbaas.client.problems import ApiProblem
from lbaas.errors import ClusterConflict, ClusterUnavailable, LbaasError, ServerUnavailable
from lbaas.kube import election
from lbaas.kube.cluster import Cluster, connected, now_exactly
from lbaas.kube.controller import Reconciler
from lbaas.kube.election import Lease, Seen
from lbaas.kube.lbaas_side import owners
from lbaas.kube.queue import WorkQueue
from lbaas.kube.records import DEFAULT_CLASS, Key
from lbaas.kube.view import View

log = structlog.get_logger()

# How often everything is looked at without a reason: what somebody changed in lbaas by hand is mended then.
_RESYNC_S = 600.0

# The queue has patience; a call has little.
_RETRIES = Retries(attempts=2, patience_s=2)


# How soon somebody who waits for a lease looks at it again.
_ASK_AGAIN_S = 1.0


class LeadershipLost(LbaasError):
    """Another controller may lead by now: this one must not go on."""


@dataclass(frozen=True)
class Settings:
    """Where lbaas and the cluster are, and who we are there."""

    server_url: str
    token: str
    identity: str
    lease: Key
    kubeconfig: Path | None = None
    cluster_name: str | None = None
    balancer_class: str = DEFAULT_CLASS
    address_pools: Mapping[int, str] = field(default_factory=dict)
    workers: int = 4


async def run(settings: Settings) -> None:
    """Runs until it is cancelled. Raises LeadershipLost, or ClusterUnavailable if there is no way to the cluster."""
    async with (
        connected(settings.kubeconfig, settings.identity) as cluster,
        AsyncApiClient(settings.server_url, settings.token, retries=_RETRIES) as api,
        asyncio.TaskGroup() as tasks,
    ):
        queue: WorkQueue[Key] = WorkQueue()
        view = View(settings.balancer_class, queue.add)
        for informer in view.informers:
            tasks.create_task(informer.follow(cluster))
        leader = _Leader(cluster, settings.lease, settings.identity)
        await leader.win()
        try:
            tasks.create_task(leader.stay())
            await _work(settings, cluster, api, view, queue)
        finally:
            await leader.give_up()


async def _work(
    settings: Settings, cluster: Cluster, api: AsyncApiClient, view: View, queue: WorkQueue[Key]
) -> None:
    """All Services are looked at now and then, and each when something about it changes. Never ends."""
    name = settings.cluster_name or await _uid(cluster)
    for informer in view.informers:
        await informer.synced.wait()
    log.info("leading", cluster=name, services=len(view.services.known))
    reconciler = Reconciler(
        cluster, api, view, name, settings.balancer_class, settings.address_pools
    )
    async with asyncio.TaskGroup() as workers:
        for _ in range(settings.workers):
            workers.create_task(_serve(reconciler, queue))
        workers.create_task(_resync(api, name, view, queue))


async def _resync(api: AsyncApiClient, name: str, view: View, queue: WorkQueue[Key]) -> None:
    while True:
        await _enqueue_all(api, name, view, queue)
        await asyncio.sleep(_RESYNC_S)


async def _uid(cluster: Cluster) -> str:
    while True:
        try:
            return await cluster.uid()
        except ClusterUnavailable as error:
            log.warning("the cluster does not say which it is", error=str(error))
            await asyncio.sleep(1)


async def _enqueue_all(api: AsyncApiClient, name: str, view: View, queue: WorkQueue[Key]) -> None:
    """Every Service of ours, and every one that lbaas still has something of although it is gone."""
    for key, service in view.services.known.items():
        if service.ours or service.held:
            queue.add(key)
    while True:
        try:
            left = await owners(api, name)
        except (ServerUnavailable, ApiProblem) as error:
            log.warning("lbaas does not say what it has of this cluster", error=str(error))
            await asyncio.sleep(2)
        else:
            break
    for key in left:
        queue.add(key)


async def _serve(reconciler: Reconciler, queue: WorkQueue[Key]) -> None:
    while True:
        key = await queue.take()
        try:
            if await reconciler.reconcile(key):
                queue.settled(key)
            else:
                queue.come_back(key)
        except ClusterConflict:
            queue.come_back(key)  # somebody was first: what the object is now comes by the watch
        except (ApiProblem, ServerUnavailable, ClusterUnavailable) as error:
            log.warning("again later", service=str(key), error=str(error))
            queue.come_back(key)
        except Exception:
            # One Service that nobody foresaw must not stop the others.
            log.exception("reconciling broke off", service=str(key))
            queue.come_back(key)
        finally:
            queue.done(key)


class _Leader:
    """Our part in the election."""

    def __init__(self, cluster: Cluster, key: Key, identity: str) -> None:
        self._cluster = cluster
        self._key = key
        self._identity = identity
        self._seen = Seen()
        self._held: Lease | None = None
        self._ended = False

    async def win(self) -> None:
        """We lead."""
        while True:
            if await self._try():
                return
            await asyncio.sleep(_ASK_AGAIN_S)

    async def stay(self) -> None:
        """Renews without end. Raises LeadershipLost when others may think that we are gone."""
        renewed_s = time.monotonic()
        while True:
            await asyncio.sleep(election.RENEW_EVERY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(election.RENEW_EVERY_S):
                    if await self._try():
                        renewed_s = time.monotonic()
            if time.monotonic() - renewed_s > election.GIVE_UP_AFTER_S:
                raise LeadershipLost(f"lease {self._key} could not be renewed")

    async def give_up(self) -> None:
        """Another may lead at once, if we can still say so."""
        self._ended = True
        if self._held is not None:
            with suppress(ClusterUnavailable, TimeoutError):
                async with asyncio.timeout(2):
                    await self._cluster.write_lease(self._key, election.given_up(self._held))

    async def _try(self) -> bool:
        now_s = time.monotonic()
        try:
            self._seen = self._seen.look(await self._cluster.lease(self._key), now_s)
            if self._ended or not self._seen.free(self._identity, now_s):
                return False
            lease = election.taken(self._seen.lease, self._identity, now_exactly())
            self._held = await self._cluster.write_lease(self._key, lease)
        except ClusterUnavailable as error:
            log.info("lease not had", error=str(error))
            return False
        self._seen = self._seen.look(self._held, now_s)
        return True
