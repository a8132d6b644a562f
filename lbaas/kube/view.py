"""The cluster as the controller sees it, and which Services a change concerns."""

from collections import defaultdict
from collections.abc import Callable

from lightkube.resources import core_v1 as core
from lightkube.resources.discovery_v1 import EndpointSlice

from lbaas.kube import reading
from lbaas.kube.desired import Surroundings
from lbaas.kube.informer import Informer
from lbaas.kube.records import Key, Node, Pod, Service, Slice


class View:
    """Services, and the endpoints, pods and nodes behind them. *concerned* is called with each Service to look at."""

    def __init__(self, balancer_class: str, concerned: Callable[[Key], object]) -> None:
        self._concerned = concerned
        self._slices: dict[Key, set[Key]] = defaultdict(set)  # by Service
        # By pod, the Service of each slice that names it: two do for a pod with addresses of both families.
        self._services_of: dict[Key, dict[Key, Key]] = defaultdict(dict)
        self.services = Informer(
            core.Service, lambda found: reading.service(found, balancer_class), self._service
        )
        self.slices = Informer(EndpointSlice, reading.endpoint_slice, self._slice)
        self.pods = Informer(core.Pod, reading.pod, self._pod)
        self.nodes = Informer(core.Node, reading.node, self._node)

    @property
    def informers(self) -> tuple[Informer[Service], Informer[Slice], Informer[Pod], Informer[Node]]:
        return self.services, self.slices, self.pods, self.nodes

    def around(self, service: Key) -> Surroundings:
        """What stands behind the Service now."""
        endpoints = tuple(
            endpoint
            for key in sorted(self._slices[service])
            for endpoint in self.slices.known[key].endpoints
        )
        return Surroundings(endpoints, self.pods.known, self.nodes.known)

    def _service(self, old: Service | None, new: Service | None) -> None:
        for service in (old, new):
            if service is not None and (service.ours or service.held):
                self._concerned(service.key)

    def _slice(self, old: Slice | None, new: Slice | None) -> None:
        if old is not None:
            self._slices[old.of].discard(old.key)
            self._index(old, known=False)
        if new is not None:
            self._slices[new.of].add(new.key)
            self._index(new, known=True)
        for each in (old, new):
            if each is not None:
                self._look_at(each.of)

    def _index(self, slice_: Slice, *, known: bool) -> None:
        for endpoint in slice_.endpoints:
            if endpoint.pod is not None:
                services = self._services_of[endpoint.pod]
                if known:
                    services[slice_.key] = slice_.of
                else:
                    services.pop(slice_.key, None)
                if not services:
                    del self._services_of[endpoint.pod]

    def _pod(self, old: Pod | None, new: Pod | None) -> None:
        for key in {each.key for each in (old, new) if each is not None}:
            for service in set(self._services_of.get(key, {}).values()):
                self._look_at(service)

    def _node(self, _old: Node | None, _new: Node | None) -> None:
        for service in self.services.known:
            self._look_at(service)

    def _look_at(self, key: Key) -> None:
        service = self.services.known.get(key)
        if service is not None and (service.ours or service.held):
            self._concerned(key)
