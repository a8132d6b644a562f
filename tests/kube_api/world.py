"""A Kubernetes cluster of the tests: the API server, kubectl, and what stands behind Services."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lbaas.client.api import ApiClient
from tests.kube_api.control_plane import programs, serving_for_real
from tests.kube_api.kinds import BY_PATH, Json, Refusal
from tests.kube_api.rbac import CONTROLLER, shipped
from tests.kube_api.real import RealApi
from tests.kube_api.server import KubeApi, serving

SERVICE = BY_PATH["", "v1", "services"]
POD = BY_PATH["", "v1", "pods"]
NODE = BY_PATH["", "v1", "nodes"]
EVENT = BY_PATH["", "v1", "events"]
LEASE = BY_PATH["coordination.k8s.io", "v1", "leases"]
SLICE = BY_PATH["discovery.k8s.io", "v1", "endpointslices"]
NAMESPACE = BY_PATH["", "v1", "namespaces"]

# Nobody starts them.
CONTAINERS = [{"name": "web", "image": "web"}]


def eventually(holds: Callable[[], object], timeout_s: float = 60, every_s: float = 0.05) -> None:
    """*holds* was true at some moment within *timeout_s*; else the test fails."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {holds}"
        time.sleep(every_s)


@dataclass(frozen=True)
class Behind:
    """An endpoint. *port* is the number of the pod's port."""

    address: str
    ready: bool = True
    terminating: bool = False
    pod: str = ""
    node: str = ""
    port: int = 80


@dataclass
class World:
    """*namespace* is the test's own."""

    api: KubeApi | RealApi
    url: str
    directory: Path
    namespace: str
    certificate: Path | None = None  # of a real API server
    controllers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kubeconfig(self, bearer: str = "kubectl") -> Path:
        """A file by which *bearer*, which is its token as well, finds the cluster."""
        path = self.directory / f"{bearer}.kubeconfig"
        if not path.exists():
            path.write_text(json.dumps(_kubeconfig(self.url, bearer, self.certificate)))
        return path

    @property
    def environment(self) -> dict[str, str]:
        """kubectl's."""
        home = str(self.directory)
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig()), "HOME": home}

    def kubectl(self, *arguments: str, stdin: Json | None = None) -> str:
        """What real kubectl prints; its failure is the test's."""
        ran = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *arguments],
            env=self.environment,
            input=json.dumps(stdin) if stdin else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def service(self, name: str, *ports: int, **spec: Any) -> Json:
        """A Service of ours as a user writes it."""
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "type": "LoadBalancer",
                "loadBalancerClass": "lbaas/dsr",
                "ports": [{"name": f"p{port}", "port": port} for port in ports or (80,)],
                **spec,
            },
        }

    def apply(self, name: str, *ports: int, **spec: Any) -> None:
        self.kubectl("apply", "-f", "-", stdin=self.service(name, *ports, **spec))

    def put_behind(self, service: str, *endpoints: Behind, family: int = 4) -> None:
        """The Service has these endpoints of *family* and no others, as the endpoint slice controller says it."""
        name = f"{service}-v{family}"
        body = {
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
            "addressType": f"IPv{family}",
            "ports": [
                {"name": f"p{port}", "port": port, "protocol": "TCP"}
                for port in {each.port for each in endpoints}
            ],
            "endpoints": [_endpoint(each) for each in endpoints],
        }
        store = self.api.store
        with store.changed:
            try:
                seen = store.get(SLICE, (self.namespace, name))
            except Refusal:
                store.create(SLICE, self.namespace, body)
            else:
                version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
                body["metadata"] |= version  # type: ignore[operator]  # a literal of several kinds
                store.update(SLICE, (self.namespace, name), body)

    def add_pod(self, name: str, *, gated: bool = False, weight: str = "") -> None:
        """A pod that waits for our readiness gate, if *gated*."""
        gates = [{"conditionType": "lbaas/dsr-ready"}] if gated else []
        metadata = {"name": name, "annotations": {"lbaas/weight": weight} if weight else {}}
        spec = {"containers": CONTAINERS, "readinessGates": gates}
        body = {"metadata": metadata, "spec": spec}
        self.api.store.create(POD, self.namespace, body)

    def shown(self, name: str) -> Json:
        return self.api.store.get(SERVICE, (self.namespace, name))

    def is_gone(self, name: str) -> bool:
        return name not in [
            each["metadata"]["name"] for each in self.api.store.list(SERVICE, self.namespace)
        ]

    def ingress(self, name: str) -> list[str]:
        """The addresses that the Service's status shows."""
        return addresses_of(self.shown(name))

    def condition(self, name: str) -> Json:
        """Ours, empty if it is not there yet."""
        found = (each for each in self.conditions(name) if each["type"] == "lbaas/programmed")
        return next(found, {})

    def conditions(self, name: str) -> list[Json]:
        """All that its status says."""
        return list(self.shown(name).get("status", {}).get("conditions", ()))

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of each Event on the Service."""
        return [
            (each["reason"], each["message"])
            for each in self.api.store.list(EVENT, self.namespace)
            if each["involvedObject"]["name"] == name
        ]

    def start_controller(self, api: ApiClient, url: str, **options: str) -> subprocess.Popen[bytes]:
        """A controller that asks lbaas at *url* as the bearer of *api*'s token."""
        number = len(self.controllers)
        token = self.directory / "token"
        token.write_text(str(api._http.headers["Authorization"]).removeprefix("Bearer "))
        environment = {
            **os.environ,
            "LBAAS_SERVER_URL": url,
            "LBAAS_TOKEN_FILE": str(token),
            "LBAAS_KUBECONFIG": str(self.kubeconfig(CONTROLLER)),
            "LBAAS_NAMESPACE": self.namespace,
            "HOME": str(self.directory),
            **options,
        }
        with (self.directory / f"controller-{number}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lbaas", "kube-controller"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.controllers.append(process)
        return process

    def stop(self) -> None:
        for process in self.controllers:
            process.kill()
            process.wait(30)


@contextmanager
def world(directory: Path, namespace: str) -> Iterator[World]:
    """A cluster with one namespace, in which the shipped RBAC is in force; its controllers end with it."""
    with _served(directory, namespace) as (api, url, certificate):
        made = World(api, url, directory, namespace, certificate)
        try:
            yield made
        finally:
            made.stop()


@contextmanager
def _served(
    directory: Path, namespace: str
) -> Iterator[tuple[KubeApi | RealApi, str, Path | None]]:
    real = programs()
    if real is not None:
        with serving_for_real(real, directory, namespace) as served:
            yield served
        return
    api = KubeApi(shipped())
    with serving(api) as url:
        api.store.create(NAMESPACE, "", {"metadata": {"name": namespace}})
        yield api, url, None


def addresses_of(service: Json) -> list[str]:
    """Those that its status shows."""
    balancer = service.get("status", {}).get("loadBalancer", {})
    return [each["ip"] for each in balancer.get("ingress", ())]


def _endpoint(each: Behind) -> Json:
    conditions = {"ready": each.ready, "serving": each.ready, "terminating": each.terminating}
    said: Json = {"addresses": [each.address], "conditions": conditions}
    if each.pod:
        said["targetRef"] = {"kind": "Pod", "name": each.pod}
    if each.node:
        said["nodeName"] = each.node
    return said


def _kubeconfig(url: str, token: str, certificate: Path | None) -> Json:
    cluster = {"server": url}
    if certificate is not None:
        cluster["certificate-authority"] = str(certificate)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }


def pods(count: int, first: int = 1) -> Iterable[Behind]:
    """Ready pods at 10.0.20.FIRST and on."""
    return [Behind(f"10.0.20.{number}") for number in range(first, first + count)]
