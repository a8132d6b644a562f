"""A small Kubernetes API server for tests, on a port of this machine, in a thread of the test's process."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.kube_api import discovery, patches
from tests.kube_api.kinds import BY_PATH, Json, Kind, Refusal
from tests.kube_api.store import Change, Store

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v\d\w*)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>\w+))?"
)
BOOKMARK_EVERY_S = 0.5

# May a bearer (None: anonymous) of a group's resource use a verb, on the object of this name? As RBAC would name them.
Authorizer = Callable[[str | None, str, str, str, str], bool]


@dataclass(frozen=True)
class Target:
    """What a path names."""

    kind: Kind
    namespace: str
    name: str
    sub: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace if self.kind.namespaced else "", self.name)


class KubeApi:
    """*store* may be read and changed from any thread."""

    def __init__(self, authorize: Authorizer = lambda *_: True) -> None:
        self.store = Store()
        self.asked: list[tuple[str | None, str, str]] = []
        self._authorize = authorize
        route = Route(
            "/{path:path}", self._answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
        )
        self.app = Starlette(routes=[route])

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except Refusal as refusal:
            return JSONResponse(_status(refusal), status_code=refusal.code)

    async def _handle(self, request: Request) -> Response:
        path = request.url.path.rstrip("/")
        fixed = _fixed(path)
        if fixed is not None:
            return JSONResponse(fixed)
        target = _target(path)
        verb = _verb(request, target)
        self._permit(request, verb, target)
        if verb == "watch":
            events = self._watch(request.query_params, target)
            return StreamingResponse(events, media_type="application/json")
        body = await request.body()
        return JSONResponse(
            self._do(verb, target, request, body), status_code=201 if verb == "create" else 200
        )

    def _permit(self, request: Request, verb: str, target: Target) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token if scheme == "Bearer" else None
        resource = f"{target.kind.plural}/{target.sub}" if target.sub else target.kind.plural
        self.asked.append((bearer, verb, resource))
        if not self._authorize(bearer, target.kind.group, resource, verb, target.name):
            raise Refusal(403, "Forbidden", f'cannot {verb} resource "{resource}"')

    def _do(self, verb: str, target: Target, request: Request, body: bytes) -> Json:
        match verb:
            case "list":
                return self._list(request.query_params, target)
            case "get":
                return self.store.get(target.kind, target.key)
            case "create":
                new = json.loads(body)
                _validate(request, target.kind, new)
                return self.store.create(target.kind, target.namespace, new)
            case "update":
                new = json.loads(body)
                return self.store.update(
                    target.kind, target.key, new, status=target.sub == "status"
                )
            case "patch":
                return self._patch(target, request, json.loads(body))
            case _:
                said = json.loads(body or "{}").get("preconditions") or {}
                return self.store.delete(target.kind, target.key, said)

    def _patch(self, target: Target, request: Request, patch: Any) -> Json:
        with self.store.changed:
            old = self.store.get(target.kind, target.key)
            content_type = request.headers["content-type"].partition(";")[0]
            new = patches.patched(old, patch, content_type)
            _validate(request, target.kind, new)
            status = target.sub == "status"
            return self.store.update(target.kind, target.key, new, status=status, verb="patch")

    def _list(self, params: Mapping[str, str], target: Target) -> Json:
        found = [
            each for each in self.store.list(target.kind, target.namespace) if _fits(params, each)
        ]
        first = int(params.get("continue") or 0)
        limit = int(params.get("limit") or 0) or len(found)
        metadata = {"resourceVersion": str(self.store.revision)}
        if first + limit < len(found):
            metadata["continue"] = str(first + limit)
        return {
            "kind": f"{target.kind.kind}List",
            "apiVersion": target.kind.api_version,
            "metadata": metadata,
            "items": found[first : first + limit],
        }

    async def _watch(self, params: Mapping[str, str], target: Target) -> AsyncIterator[bytes]:
        asked = params.get("resourceVersion") or "0"
        seen = int(asked)
        ends = time.monotonic() + float(params.get("timeoutSeconds") or 1800)
        bookmark_at = time.monotonic() + BOOKMARK_EVERY_S
        if seen == 0:
            seen = self.store.revision
            for each in self.store.list(target.kind, target.namespace):
                yield _line("ADDED", each)
        while time.monotonic() < ends:
            try:
                changes = list(self.store.since(target.kind, seen))
            except Refusal as refusal:
                yield _line("ERROR", _status(refusal))
                return
            for change in changes:
                seen = change.revision
                if _concerns(params, target, change):
                    yield _line(change.type, change.object)
            if params.get("allowWatchBookmarks") == "true" and time.monotonic() >= bookmark_at:
                bookmark_at = time.monotonic() + BOOKMARK_EVERY_S
                yield _line("BOOKMARK", _bookmark(target.kind, seen))
            await asyncio.sleep(0.02)


def _concerns(params: Mapping[str, str], target: Target, change: Change) -> bool:
    namespace = change.object["metadata"].get("namespace", "")
    return target.namespace in ("", namespace) and _fits(params, change.object)


def _fits(params: Mapping[str, str], each: Json) -> bool:
    labels = each["metadata"].get("labels") or {}
    for part in filter(None, params.get("labelSelector", "").split(",")):
        key, _, value = part.partition("=")
        if labels.get(key) != value.lstrip("="):
            return False
    for part in filter(None, params.get("fieldSelector", "").split(",")):
        field, _, value = part.partition("=")
        found: Any = each
        for name in field.split("."):
            found = (found or {}).get(name)
        if (found or "") != value.lstrip("="):
            return False
    return True


def _validate(request: Request, kind: Kind, new: Json) -> None:
    """Unknown fields are refused where the client asks for it."""
    if request.query_params.get("fieldValidation") == "Strict" and kind.fields:
        unknown = sorted(set(new.get("spec") or {}) - kind.fields)
        if unknown:
            raise Refusal(
                400, "BadRequest", f'strict decoding error: unknown field "spec.{unknown[0]}"'
            )


def _target(path: str) -> Target:
    match = _PATH.fullmatch(path)
    unknown = Refusal(404, "NotFound", "the server could not find the requested resource")
    if match is None:
        raise unknown
    kind = BY_PATH.get((match["group"] or "", match["version"], match["plural"]))
    if kind is None:
        raise unknown
    return Target(kind, match["namespace"] or "", match["name"] or "", match["sub"] or "")


def _verb(request: Request, target: Target) -> str:
    match request.method:
        case "GET" if request.query_params.get("watch") in ("true", "1"):
            return "watch"
        case "GET":
            return "get" if target.name else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case method:
            return method.lower()


def _fixed(path: str) -> Json | None:
    match path.split("/")[1:]:
        case ["version"]:
            return discovery.VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return discovery.groups()
        case ["api", version]:
            return discovery.resources("", version)
        case ["apis", group, version]:
            return discovery.resources(group, version)
        case ["openapi", "v3"]:
            return discovery.openapi_paths()
        case ["openapi", "v3", "api", version]:
            return discovery.openapi("", version)
        case ["openapi", "v3", "apis", group, version]:
            return discovery.openapi(group, version)
    return None


def _status(refusal: Refusal) -> Json:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refusal.message,
        "reason": refusal.reason,
        "code": refusal.code,
    }


def _bookmark(kind: Kind, revision: int) -> Json:
    metadata = {"resourceVersion": str(revision)}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}


def _line(type_: str, object_: Json) -> bytes:
    return json.dumps({"type": type_, "object": object_}).encode() + b"\n"


@contextmanager
def serving(api: KubeApi, port: int = 0) -> Iterator[str]:
    """The API answers at the URL that is given, until the block ends."""
    listening = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(api.app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
