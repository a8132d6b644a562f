"""What kubectl asks before it does anything: groups, resources, and whether fields are validated."""

from typing import Any

from tests.kube_api.kinds import KINDS, Kind

Json = dict[str, Any]

VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0-lbaas-test"}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def groups() -> Json:
    named = sorted({(kind.group, kind.version) for kind in KINDS if kind.group})
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {"name": group, "versions": [said], "preferredVersion": said}
            for group, version in named
            for said in ({"groupVersion": f"{group}/{version}", "version": version},)
        ],
    }


def resources(group: str, version: str) -> Json:
    kinds = [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [entry for kind in kinds for entry in _entries(kind)],
    }


def openapi_paths() -> Json:
    groups_ = sorted({(kind.group, kind.version) for kind in KINDS})
    names = [f"apis/{group}/{version}" if group else f"api/{version}" for group, version in groups_]
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in names}}


def openapi(group: str, version: str) -> Json:
    """Just enough to tell that the server itself validates fields."""
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths = {}
    for kind in KINDS:
        if (kind.group, kind.version) == (group, version):
            where = "/namespaces/{namespace}" if kind.namespaced else ""
            said = {"group": group, "version": version, "kind": kind.kind}
            operation = {
                "parameters": [parameter],
                "x-kubernetes-group-version-kind": said,
                "responses": {"200": {"description": "OK"}},
            }
            paths[f"{base}{where}/{kind.plural}/{{name}}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "test", "version": "1"}, "paths": paths}


def _entries(kind: Kind) -> list[Json]:
    named = {"name": kind.plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced}
    main = {**named, "kind": kind.kind, "verbs": _VERBS, "shortNames": list(kind.short)}
    status = {**named, "name": f"{kind.plural}/status", "kind": kind.kind, "singularName": ""}
    return [main, {**status, "verbs": ["get", "patch", "update"]}] if kind.status else [main]
