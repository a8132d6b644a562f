"""What there is of one kind in the cluster, kept up to date by list and watch."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog
from lightkube.core.resource import NamespacedResource

from lbaas.errors import ClusterUnavailable
from lbaas.kube.cluster import Cluster, translated
from lbaas.kube.reading import key_of
from lbaas.kube.records import Key

log = structlog.get_logger()

R = TypeVar("R")

# The server ends a watch after this; all is listed anew some time later, whatever a watch may have missed.
_WATCH_S = 300
_LIST_AGAIN_S = 900
_CHUNK = 500
_PAUSE_S = 1.0


class Informer(Generic[R]):
    """The objects of one kind, by key. *changed* is told of each difference: what was, and what is."""

    def __init__(
        self,
        resource: Any,
        parse: Callable[[Any], R | None],
        changed: Callable[[R | None, R | None], object],
    ) -> None:
        self._resource = resource
        self._parse = parse
        self._changed = changed
        self.known: dict[Key, R] = {}
        self.synced = asyncio.Event()

    async def follow(self, cluster: Cluster) -> None:
        """Never ends. While the cluster does not answer, what was known stays."""
        while True:
            try:
                with translated(), suppress(TimeoutError):
                    async with asyncio.timeout(_LIST_AGAIN_S):
                        await self._list_and_watch(cluster)
            except ClusterUnavailable as error:
                log.warning("watch ended", kind=self._resource.__name__, error=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def _list_and_watch(self, cluster: Cluster) -> None:
        everywhere = "*" if issubclass(self._resource, NamespacedResource) else None
        listed = cluster.client.list(self._resource, namespace=everywhere, chunk_size=_CHUNK)
        self._replace({key_of(each): each async for each in listed})
        self.synced.set()
        watch = cluster.client.watch(
            self._resource,
            namespace=everywhere,
            resource_version=listed.resourceVersion,
            server_timeout=_WATCH_S,
        )
        async for event, found in watch:
            self._put(key_of(found), None if event == "DELETED" else self._parse(found))

    def _replace(self, found: dict[Key, Any]) -> None:
        for key in self.known.keys() - found.keys():
            self._put(key, None)
        for key, each in found.items():
            self._put(key, self._parse(each))

    def _put(self, key: Key, new: R | None) -> None:
        old = self.known.pop(key, None)
        if new is not None:
            self.known[key] = new
        if old != new:
            self._changed(old, new)
