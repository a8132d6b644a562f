"""The three ways to patch that kubectl and clients use. Source: RFC 6902, RFC 7386, strategicpatch in apimachinery."""

import copy
from typing import Any

from tests.kube_api.kinds import Json, Refusal

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

# Lists whose elements are told apart by a key.
_MERGE_KEYS = {
    "ports": "port",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ownerReferences": "uid",
    "addresses": "type",
}
# Lists that are sets.
_SETS = {"finalizers"}


def patched(document: Json, patch: Any, content_type: str) -> Json:
    """*document* with *patch*; itself unchanged."""
    match content_type:
        case "application/json-patch+json":
            edited: Json = _json_patched(copy.deepcopy(document), patch)
            return edited
        case "application/merge-patch+json":
            merged: Json = merge(document, patch)
            return merged
        case "application/strategic-merge-patch+json":
            return strategic(document, patch)
    raise Refusal(415, "UnsupportedMediaType", f"the body of the request was in {content_type}")


def merge(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), change)
    return result


def strategic(value: Json, patch: Json) -> Json:
    result = dict(value)
    for key, change in patch.items():
        if key.startswith("$setElementOrder/"):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            result[name] = [each for each in result.get(name, ()) if each not in change]
        elif key == "$retainKeys":
            result = {name: each for name, each in result.items() if name in change}
        elif change is None:
            result.pop(key, None)
        elif isinstance(change, dict):
            replaces = change.get("$patch") == "replace"
            rest = {name: each for name, each in change.items() if name != "$patch"}
            result[key] = rest if replaces else strategic(result.get(key) or {}, rest)
        elif isinstance(change, list):
            result[key] = _list(key, result.get(key) or [], change)
        else:
            result[key] = change
    return result


def _list(name: str, value: list[Any], change: list[Any]) -> list[Any]:
    if name in _SETS:
        return value + [each for each in change if each not in value]
    key = _MERGE_KEYS.get(name)
    if key is None or not all(isinstance(each, dict) and key in each for each in change):
        return [each for each in change if each != {"$patch": "replace"}]
    result = {each[key]: each for each in value}
    for each in change:
        if each.get("$patch") == "delete":
            result.pop(each[key], None)
        else:
            result[each[key]] = strategic(result.get(each[key], {}), each)
    return list(result.values())


def _json_patched(document: Any, patch: Any) -> Any:
    for operation in patch:
        *parents, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        at = document
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        _operate(at, last, operation)
    return document


def _operate(at: Any, last: str, operation: Json) -> None:
    index: Any = len(at) if last == "-" else int(last) if isinstance(at, list) else last
    match operation["op"]:
        case "add" if isinstance(at, list):
            at.insert(index, operation["value"])
        case "add" | "replace":
            at[index] = operation["value"]
        case "remove":
            del at[index]
        case "test":
            if at[index] != operation["value"]:
                raise Refusal(422, "Invalid", f"the test of {operation['path']} failed")
