"""What of a new description of the API would break a client that was made for an older one.

A client sends what it knew and reads what it knew. So nothing that could be sent may be refused, and nothing that could
be read may be missing or mean a new thing. Additions break nobody: clients must ignore fields that they do not know.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every break, in words; none if a client of *old* can go on with *new*."""
    return sorted(_Comparison(old, new).paths())


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._compared: set[tuple[str, str, bool]] = set()

    def paths(self) -> Iterator[str]:
        for path, operations in self._old["paths"].items():
            for method in METHODS:
                if method not in operations:
                    continue
                name = f"{method.upper()} {path}"
                now = self._new["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{name} is gone"
                else:
                    yield from self._operation(name, operations[method], now)

    def _operation(self, name: str, was: Schema, now: Schema) -> Iterator[str]:
        if was.get("operationId") != now.get("operationId"):
            yield f"{name} has another operationId"
        yield from self._parameters(name, was, now)
        yield from self._schemas(f"{name} takes", _body(was), _body(now), sent=True)
        if not was.get("requestBody", {}).get("required") and now.get("requestBody", {}).get(
            "required"
        ):
            yield f"{name} needs a body"
        for status, answer in was["responses"].items():
            if not status.startswith("2"):
                continue
            if status not in now["responses"]:
                yield f"{name} does not answer {status} any more"
                continue
            shown = _content(answer), _content(now["responses"][status])
            yield from self._schemas(f"{name} answers", *shown, sent=False)

    def _parameters(self, name: str, was: Schema, now: Schema) -> Iterator[str]:
        before, after = _by_name(was), _by_name(now)
        for key in before.keys() - after.keys():
            yield f"{name} does not take {key[1]} any more"
        for key, parameter in after.items():
            if key not in before and parameter.get("required"):
                yield f"{name} needs {key[1]}"
            elif key in before:
                given = before[key]["schema"], parameter["schema"]
                yield from self._schemas(f"{name} takes {key[1]}", *given, sent=True)

    def _schemas(self, where: str, was: Schema, now: Schema, *, sent: bool) -> Iterator[str]:
        names = was.get("$ref", ""), now.get("$ref", "")
        if all(names):
            if (*names, sent) in self._compared:
                return
            self._compared.add((*names, sent))
            where = f"{where} {names[0].rpartition('/')[2]}:"
        was, now = _resolved(was, self._old), _resolved(now, self._new)
        yield from self._kinds(where, was, now, sent=sent)
        yield from self._words(where, was, now, sent=sent)
        yield from self._fields(where, was, now, sent=sent)
        if "items" in was and "items" in now:
            yield from self._schemas(where, was["items"], now["items"], sent=sent)
        for one in was.get("anyOf", ()):
            for other in now.get("anyOf", ()):
                if one.get("$ref", "") == other.get("$ref") or one.get("type", 0) == other.get(
                    "type"
                ):
                    yield from self._schemas(where, one, other, sent=sent)

    def _kinds(self, where: str, was: Schema, now: Schema, *, sent: bool) -> Iterator[str]:
        before, after = self._types(was, self._old), self._types(now, self._new)
        missing, more = before - after, after - before
        if sent and before and after and missing:
            yield f"{where} no longer {', '.join(sorted(missing))}"
        if not sent and before and after and more:
            yield f"{where} {', '.join(sorted(more))}, too"

    def _types(self, schema: Schema, document: Schema) -> set[str]:
        schema = _resolved(schema, document)
        parts = schema.get("anyOf") or schema.get("oneOf") or ()
        kinds = {kind for part in parts for kind in self._types(part, document)}
        return kinds | ({schema["type"]} if "type" in schema else set())

    def _words(self, where: str, was: Schema, now: Schema, *, sent: bool) -> Iterator[str]:
        if sent and "enum" in now:
            gone = set(was.get("enum", ())) - set(now["enum"])
            if gone or "enum" not in was:
                yield f"{where} no longer any of {sorted(map(str, gone)) or 'the words it took'}"

    def _fields(self, where: str, was: Schema, now: Schema, *, sent: bool) -> Iterator[str]:
        before, after = was.get("properties", {}), now.get("properties", {})
        if not before:
            return
        for field in before.keys() - after.keys():
            yield f"{where} no field {field} any more"
        if sent:
            for field in set(now.get("required", ())) - set(was.get("required", ())):
                yield f"{where} field {field}, which is required now"
        else:
            for field in (
                set(was.get("required", ()))
                - set(now.get("required", ()))
                - (before.keys() - after.keys())
            ):
                yield f"{where} field {field} not always"
        for field in before.keys() & after.keys():
            yield from self._schemas(
                f"{where} field {field}", before[field], after[field], sent=sent
            )


def _resolved(schema: Schema, document: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _by_name(operation: Schema) -> dict[tuple[str, str], Schema]:
    return {(part["in"], part["name"]): part for part in operation.get("parameters", ())}


def _body(operation: Schema) -> Schema:
    return _content(operation.get("requestBody", {}))


def _content(described: Schema) -> Schema:
    schema: Schema = described.get("content", {}).get("application/json", {}).get("schema", {})
    return schema
