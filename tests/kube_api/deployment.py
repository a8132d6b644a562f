"""What a cluster does with a Deployment: its pods come and go as controllers and kubelets have it.

A pod is ready when its readiness gate is open. Those that end are terminating first, serve on, and go when whoever
runs them says so, as after a preStop hook. A new template comes whole before the old one goes (maxSurge: 100%).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from tests.kube_api.kinds import BY_PATH, Json
from tests.kube_api.world import CONTAINERS, POD, Behind, World, eventually

DEPLOYMENT = BY_PATH["apps", "v1", "deployments"]


class Place(Protocol):
    """Where a pod can be, once: its name and addresses."""

    @property
    def name(self) -> str: ...
    def address(self, family: int) -> str: ...


@dataclass(frozen=True)
class _Running:
    """A pod of the template of *version*."""

    place: Place
    version: str
    ready: bool = False
    terminating: bool = False


class Deployment:
    """Of the name of its Service. *end* is called with pods that terminate; they serve on until it returns."""

    def __init__(
        self,
        kube: World,
        name: str,
        places: Iterable[Place],
        port: int,
        end: Callable[[Sequence[str]], object],
    ) -> None:
        self._kube, self._name, self._port, self._end = kube, name, port, end
        self._places = iter(places)
        self._pods: list[_Running] = []

    @property
    def pods(self) -> list[str]:
        """The names of those that there are."""
        return [pod.place.name for pod in self._pods]

    def order(self, replicas: int, version: str = "1") -> None:
        """kubectl says so, and all has come about."""
        self._kube.kubectl("apply", "-f", "-", stdin=self._manifest(replicas, version))
        self.follow()

    def follow(self) -> None:
        """There are as many pods as the Deployment says, all ready and of its template, and no others."""
        found = self._kube.api.store.get(DEPLOYMENT, (self._kube.namespace, self._name))
        version = found["spec"]["template"]["metadata"]["labels"]["version"]
        current = [pod for pod in self._pods if pod.version == version]
        missing = found["spec"]["replicas"] - len(current)
        self._start(version, missing)
        self._await_gates()
        outdated = [pod for pod in self._pods if pod.version != version]
        self._stop([*outdated, *current[len(current) + missing :]] if missing < 0 else outdated)

    def _start(self, version: str, count: int) -> None:
        for place in islice(self._places, max(count, 0)):
            self._kube.add_pod(place.name, gated=True)
            self._pods.append(_Running(place, version))
        self._tell()

    def _await_gates(self) -> None:
        eventually(lambda: all(self._gate_is_open(pod.place.name) for pod in self._pods), 120)
        self._pods = [replace(pod, ready=True) for pod in self._pods]
        self._tell()

    def _gate_is_open(self, pod: str) -> bool:
        found = self._kube.api.store.get(POD, (self._kube.namespace, pod)).get("status", {})
        said = ((each["type"], each["status"]) for each in found.get("conditions", ()))
        return ("lbaas/dsr-ready", "True") in said

    def _stop(self, leaving: Sequence[_Running]) -> None:
        if not leaving:
            return
        self._pods = [
            replace(pod, ready=False, terminating=True) if pod in leaving else pod
            for pod in self._pods
        ]
        self._tell()
        names = [pod.place.name for pod in leaving]
        self._end(names)
        for name in names:
            self._kube.api.store.delete(POD, (self._kube.namespace, name), {})
        self._pods = [pod for pod in self._pods if not pod.terminating]
        self._tell()

    def _tell(self) -> None:
        for family in (4, 6):
            self._kube.put_behind(self._name, *self._behind(family), family=family)

    def _behind(self, family: int) -> Iterator[Behind]:
        for pod in self._pods:
            address = pod.place.address(family)
            yield Behind(address, pod.ready, pod.terminating, pod.place.name, port=self._port)

    def _manifest(self, replicas: int, version: str) -> Json:
        labels = {"app": self._name, "version": version}
        gates = [{"conditionType": "lbaas/dsr-ready"}]
        pod = {"readinessGates": gates, "containers": CONTAINERS}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self._name, "namespace": self._kube.namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": self._name}},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
