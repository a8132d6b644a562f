"""What the API server of the tests keeps, and the rules by which it lets itself be changed.

As strict as the real one where a controller could get it wrong: optimistic concurrency, status apart from the rest,
finalizers, immutable metadata, a history that ends.
"""

import copy
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.kube_api.kinds import KINDS, NAMESPACE, Json, Kind, Refusal, invalid

Key = tuple[str, str]  # namespace, empty for cluster-wide; name


@dataclass(frozen=True)
class Change:
    """One event of the history."""

    revision: int
    kind: Kind
    type: str
    object: Json


@dataclass(frozen=True)
class Write:
    """A request that changed something, or would have: *needless* if the object stayed as it was."""

    verb: str
    kind: str
    name: str
    needless: bool


class Store:
    """All objects, their history, and every write that was asked for."""

    def __init__(self) -> None:
        self.revision = 1
        self.writes: list[Write] = []
        self.changed = threading.Condition()
        self._objects: dict[str, dict[Key, Json]] = {kind.plural: {} for kind in KINDS}
        self._history: list[Change] = []
        self._oldest = 0
        for namespace in ("default", "kube-system"):
            self.create(NAMESPACE, "", {"metadata": {"name": namespace}})
        self.writes.clear()

    def get(self, kind: Kind, key: Key) -> Json:
        found = self._objects[kind.plural].get(key)
        if found is None:
            raise Refusal(404, "NotFound", f'{kind.plural} "{key[1]}" not found')
        return copy.deepcopy(found)

    def list(self, kind: Kind, namespace: str = "") -> list[Json]:
        found = self._objects[kind.plural]
        return [
            copy.deepcopy(each) for (of, _), each in sorted(found.items()) if namespace in ("", of)
        ]

    def create(self, kind: Kind, namespace: str, new: Json) -> Json:
        new = copy.deepcopy(new)
        metadata = new.setdefault("metadata", {})
        if metadata.get("resourceVersion"):
            raise Refusal(
                400, "BadRequest", "resourceVersion should not be set on objects to be created"
            )
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + uuid4().hex[:5]
        if kind.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise Refusal(
                400, "BadRequest", "the namespace of the object does not match the request's"
            )
        if kind.namespaced and ("", namespace) not in self._objects["namespaces"]:
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
        key = (namespace, metadata["name"])
        with self.changed:
            if key in self._objects[kind.plural]:
                raise Refusal(409, "AlreadyExists", f'{kind.plural} "{key[1]}" already exists')
            if kind.status:
                new.pop("status", None)
            metadata |= {"uid": str(uuid4()), "creationTimestamp": _now()}
            metadata.pop("deletionTimestamp", None)
            kind.complete(new, None)
            self._note("create", kind, key[1], needless=False)
            return self._put(kind, key, new, "ADDED")

    def update(
        self, kind: Kind, key: Key, new: Json, *, status: bool = False, verb: str = "update"
    ) -> Json:
        with self.changed:
            old = self.get(kind, key)
            if verb == "update" and not new.get("metadata", {}).get("resourceVersion"):
                raise invalid(
                    kind.kind, key[1], "metadata.resourceVersion: must be specified for an update"
                )
            new = self._merged(kind, old, copy.deepcopy(new), status=status)
            kind.complete(new, old)
            needless = _same(old, new)
            self._note(f"{verb}/status" if status else verb, kind, key[1], needless=needless)
            if needless:
                return old
            return self._settle(kind, key, new)

    def delete(self, kind: Kind, key: Key, preconditions: Json) -> Json:
        with self.changed:
            old = self.get(kind, key)
            _check(kind, old, {"metadata": preconditions})
            self._note("delete", kind, key[1], needless="deletionTimestamp" in old["metadata"])
            if old["metadata"].get("finalizers"):
                if "deletionTimestamp" not in old["metadata"]:
                    old["metadata"] |= {
                        "deletionTimestamp": _now(),
                        "deletionGracePeriodSeconds": 0,
                    }
                    return self._put(kind, key, old, "MODIFIED")
                return old
            return self._remove(kind, key, old)

    def since(self, kind: Kind, revision: int) -> Iterator[Change]:
        """What happened after *revision*. Raises Refusal 410 if that is too long ago."""
        if revision < self._oldest:
            raise Refusal(410, "Expired", f"too old resource version: {revision} ({self._oldest})")
        return (each for each in self._history if each.revision > revision and each.kind is kind)

    def compact(self) -> None:
        """Nobody can watch from before this moment."""
        with self.changed:
            self._oldest, self._history = self.revision, []
            self.changed.notify_all()

    def _merged(self, kind: Kind, old: Json, new: Json, *, status: bool) -> Json:
        """What an update through this subresource makes of *old*."""
        _check(kind, old, new)
        if status and not kind.status:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        if status:
            return {**old, "status": new.get("status") or {}}
        kept = {name: old["metadata"].get(name) for name in _IMMUTABLE}
        new["metadata"] = {**new["metadata"], **{k: v for k, v in kept.items() if v is not None}}
        if kind.status:
            new.pop("status", None)
            new |= {"status": old["status"]} if "status" in old else {}
        added = set(new["metadata"].get("finalizers") or ()) - set(
            old["metadata"].get("finalizers") or ()
        )
        if "deletionTimestamp" in old["metadata"] and added:
            raise Refusal(
                403, "Forbidden", "no new finalizers can be added if the object is being deleted"
            )
        return new

    def _settle(self, kind: Kind, key: Key, new: Json) -> Json:
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            return self._remove(kind, key, new)
        return self._put(kind, key, new, "MODIFIED")

    def _put(self, kind: Kind, key: Key, new: Json, type_: str) -> Json:
        self.revision += 1
        new |= {"apiVersion": kind.api_version, "kind": kind.kind}
        new["metadata"]["resourceVersion"] = str(self.revision)
        self._objects[kind.plural][key] = new
        return self._tell(kind, type_, new)

    def _remove(self, kind: Kind, key: Key, old: Json) -> Json:
        self.revision += 1
        del self._objects[kind.plural][key]
        old["metadata"]["resourceVersion"] = str(self.revision)
        return self._tell(kind, "DELETED", old)

    def _tell(self, kind: Kind, type_: str, object_: Json) -> Json:
        shown = copy.deepcopy(object_)
        self._history.append(Change(self.revision, kind, type_, shown))
        self.changed.notify_all()
        return copy.deepcopy(shown)

    def _note(self, verb: str, kind: Kind, name: str, *, needless: bool) -> None:
        self.writes.append(Write(verb, kind.plural, name, needless))


_IMMUTABLE = (
    "uid",
    "creationTimestamp",
    "namespace",
    "name",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def _check(kind: Kind, old: Json, new: Json) -> None:
    """What the writer says that it saw is what there is."""
    said, name = new.get("metadata") or {}, old["metadata"]["name"]
    for field in ("uid", "resourceVersion"):
        if said.get(field) and said[field] != old["metadata"][field]:
            raise Refusal(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {kind.plural} "{name}": the object has been modified; '
                "please apply your changes to the latest version and try again",
            )


def _same(old: Json, new: Json) -> bool:
    def rest(each: Json) -> Any:
        return {**each, "metadata": {**each["metadata"], "resourceVersion": None}}

    return bool(rest(old) == rest(new))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
