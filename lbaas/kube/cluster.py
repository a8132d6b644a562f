"""The Kubernetes API, behind the one client library that knows it. Its errors become ours here.

Every change names the version of the object that it was decided from: if that is no longer so, ClusterConflict.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ApiError, ConfigError
from lightkube.models import coordination_v1 as coordination
from lightkube.models import core_v1 as core
from lightkube.models import meta_v1 as meta
from lightkube.resources.coordination_v1 import Lease as LeaseResource
from lightkube.resources.core_v1 import Event, Namespace, PodStatus, Service, ServiceStatus
from lightkube.types import PatchType

from lbaas.errors import ClusterConflict, ClusterUnavailable
from lbaas.kube.election import Lease
from lbaas.kube.reading import metadata_of
from lbaas.kube.records import READINESS_GATE, Key
from lbaas.kube.records import Service as ServiceRecord

COMPONENT = "lbaas-kube-controller"

_CONFLICT, _NOT_FOUND = 409, 404


class Cluster:
    """What the controller asks of a Kubernetes cluster, and does to it."""

    def __init__(self, client: AsyncClient, identity: str) -> None:
        self.client = client
        self._identity = identity

    async def uid(self) -> str:
        """What tells this cluster from all others."""
        with translated():
            found = await self.client.get(Namespace, "kube-system")
        return metadata_of(found).uid or ""

    async def set_finalizers(
        self, service: ServiceRecord, finalizers: Sequence[str]
    ) -> core.Service:
        """The Service has these finalizers and no others; the Service."""
        changes = {"metadata": {"resourceVersion": service.version, "finalizers": list(finalizers)}}
        with translated():
            return await self.client.patch(
                Service,
                service.key.name,
                changes,
                namespace=service.key.namespace,
                patch_type=PatchType.MERGE,
            )

    async def set_status(self, service: ServiceRecord, status: Mapping[str, Any]) -> core.Service:
        """The Service's status says *status*; the Service."""
        changes = {"metadata": {"resourceVersion": service.version}, "status": status}
        with translated():
            return await self.client.patch(
                ServiceStatus,
                service.key.name,
                changes,
                namespace=service.key.namespace,
                patch_type=PatchType.MERGE,
            )

    async def open_gate(self, pod: Key) -> None:
        """The pod's readiness gate is open. A pod that is gone needs none."""
        condition = {
            "type": READINESS_GATE,
            "status": "True",
            "reason": "Applied",
            "message": "the pod's host has applied the newest change of its VIPs",
            "lastTransitionTime": now_text(),
        }
        try:
            with translated():
                await self.client.patch(
                    PodStatus,
                    pod.name,
                    {"status": {"conditions": [condition]}},
                    namespace=pod.namespace,
                    patch_type=PatchType.STRATEGIC,
                )
        except ClusterUnavailable as error:
            if not _is(error, _NOT_FOUND):
                raise

    async def emit(
        self, service: ServiceRecord, name: str, kind: str, reason: str, message: str
    ) -> None:
        """There is an Event of this *name* on the Service; one that was there was seen again."""
        now = datetime.now(UTC)
        event = Event(
            metadata=meta.ObjectMeta(name=name, namespace=service.key.namespace),
            involvedObject=core.ObjectReference(
                apiVersion="v1",
                kind="Service",
                name=service.key.name,
                namespace=service.key.namespace,
                uid=service.uid,
            ),
            type=kind,
            reason=reason,
            message=message[:1024],
            count=1,
            firstTimestamp=now,
            lastTimestamp=now,
            source=core.EventSource(component=COMPONENT),
            reportingComponent=COMPONENT,
            reportingInstance=self._identity,
        )
        try:
            with translated():
                await self.client.create(event)
        except ClusterConflict:
            with translated():
                await self.client.patch(
                    Event,
                    name,
                    {"lastTimestamp": now_text()},
                    namespace=service.key.namespace,
                    patch_type=PatchType.MERGE,
                )

    async def lease(self, key: Key) -> Lease | None:
        """The lease as it is, None if there is none."""
        try:
            with translated():
                found = await self.client.get(LeaseResource, key.name, namespace=key.namespace)
        except ClusterUnavailable as error:
            if _is(error, _NOT_FOUND):
                return None
            raise
        return _lease(found)

    async def write_lease(self, key: Key, lease: Lease) -> Lease:
        """The lease is so. Raises ClusterConflict if another was first."""
        spec = coordination.LeaseSpec(
            holderIdentity=lease.holder,
            leaseDurationSeconds=lease.duration_s,
            leaseTransitions=lease.transitions,
            renewTime=datetime.fromisoformat(lease.renewed),
        )
        metadata = meta.ObjectMeta(name=key.name, namespace=key.namespace)
        with translated():
            if not lease.version:
                return _lease(await self.client.create(LeaseResource(metadata=metadata, spec=spec)))
            metadata.resourceVersion = lease.version
            return _lease(await self.client.replace(LeaseResource(metadata=metadata, spec=spec)))


@asynccontextmanager
async def connected(kubeconfig: Path | None, identity: str) -> AsyncIterator[Cluster]:
    """The cluster that *kubeconfig* names; without one, that in which we run. Raises ClusterUnavailable."""
    try:
        config = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_env()
        client = AsyncClient(config, trust_env=False, field_manager=COMPONENT)
    except ConfigError as error:
        raise ClusterUnavailable(f"no way to a Kubernetes cluster: {error}") from error
    try:
        yield Cluster(client, identity)
    finally:
        await client.close()


@contextmanager
def translated() -> Iterator[None]:
    """The library's errors become ours."""
    try:
        yield
    except ApiError as error:
        kind = ClusterConflict if error.status.code == _CONFLICT else ClusterUnavailable
        raise kind(f"{error.status.code} {error.status.message}") from error
    except (httpx2.HTTPError, ConfigError) as error:
        raise ClusterUnavailable(repr(error)) from error


def now_text() -> str:
    """This moment as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_exactly() -> str:
    """This moment to the microsecond, so that two renewals differ."""
    return datetime.now(UTC).isoformat()


def _is(error: ClusterUnavailable, code: int) -> bool:
    return isinstance(error.__cause__, ApiError) and error.__cause__.status.code == code


def _lease(found: LeaseResource) -> Lease:
    spec = found.spec or coordination.LeaseSpec()
    return Lease(
        metadata_of(found).resourceVersion or "",
        spec.holderIdentity or "",
        spec.renewTime.isoformat() if spec.renewTime else "",
        spec.leaseTransitions or 0,
        spec.leaseDurationSeconds or 1,
    )
