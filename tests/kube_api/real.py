"""The face of the small API server, before a real one. What the small one counts is read from its audit log."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.kube_api.kinds import Json, Kind, Refusal
from tests.kube_api.rbac import CONTROLLER
from tests.kube_api.store import Key, Write

_WRITES = ("create", "update", "patch", "delete")

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "RequestResponse", "verbs": list(_WRITES)}, {"level": "Metadata"}],
}


class AuditLog:
    """What the API server was asked for, as it wrote it down itself."""

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[str | None, str, str]] = []
        self.writes: list[Write] = []
        self._path = path
        self._read = 0
        self._known: set[str] = set()
        self._versions: dict[str, str] = {}

    def follow(self) -> None:
        """Everything that is in the file is in the lists."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):
                    self._read += len(line)
                    self._take(json.loads(line))

    def _take(self, event: Json) -> None:
        target = event.get("objectRef")
        if target is None or target.get("resource") is None:
            return
        resource = target["resource"]
        if "subresource" in target:
            resource += f"/{target['subresource']}"
        if event["auditID"] not in self._known:
            self._known.add(event["auditID"])
            user = event["user"]["username"]
            bearer = CONTROLLER if user.startswith("system:serviceaccount:") else user
            self.asked.append((bearer, event["verb"], resource))
        if event["verb"] in _WRITES and event["responseStatus"]["code"] < 300:
            self._note(event, target)

    def _note(self, event: Json, target: Json) -> None:
        metadata = (event.get("responseObject") or {}).get("metadata", {})
        uid, version = metadata.get("uid"), metadata.get("resourceVersion")
        needless = uid is not None and self._versions.get(uid) == version
        if uid is not None:
            self._versions[uid] = version
        name = target.get("name") or metadata.get("name", "")
        self.writes.append(Write(event["verb"], target["resource"], name, needless))


class RealStore:
    """The objects of the API server, asked for and changed by HTTP."""

    def __init__(self, http: httpx.Client, etcd: str, log: AuditLog) -> None:
        self.changed = threading.RLock()
        self._http, self._etcd, self._log = http, etcd, log

    @property
    def writes(self) -> list[Write]:
        self._log.follow()
        return self._log.writes

    def get(self, kind: Kind, key: Key) -> Json:
        return self._ask("GET", kind, key[0], key[1])

    def list(self, kind: Kind, namespace: str = "") -> list[Json]:
        return list(self._ask("GET", kind, namespace)["items"])

    def create(self, kind: Kind, namespace: str, new: Json) -> Json:
        return self._ask("POST", kind, namespace, body=new)

    def update(self, kind: Kind, key: Key, new: Json) -> Json:
        return self._ask("PUT", kind, key[0], key[1], body=new)

    def delete(self, kind: Kind, key: Key, preconditions: Json) -> Json:
        return self._ask("DELETE", kind, *key, body={"preconditions": preconditions})

    def compact(self) -> None:
        """etcd has nothing from before this moment."""
        status = httpx.post(f"{self._etcd}/v3/maintenance/status", json={}).raise_for_status()
        revision = status.json()["header"]["revision"]
        body = {"revision": revision, "physical": True}
        httpx.post(f"{self._etcd}/v3/kv/compaction", json=body).raise_for_status()

    def _ask(
        self, method: str, kind: Kind, namespace: str, name: str = "", body: Any = None
    ) -> Json:
        base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        within = f"/namespaces/{namespace}" if namespace and kind.namespaced else ""
        path = "/".join(filter(None, (f"{base}{within}", kind.plural, name)))
        answer = self._http.request(method, path, json=body)
        said: Json = answer.json()
        if answer.is_error:
            raise Refusal(answer.status_code, said.get("reason", ""), said["message"])
        return said


class RealApi:
    """As tests.kube_api.server.KubeApi."""

    def __init__(self, store: RealStore, log: AuditLog) -> None:
        self.store = store
        self._log = log

    @property
    def asked(self) -> list[tuple[str | None, str, str]]:
        self._log.follow()
        return self._log.asked
