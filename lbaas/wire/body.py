"""The body of an answer with a state, written and read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from json import JSONDecoder
from json.encoder import encode_basestring
from typing import Literal

from lbaas.errors import BadState
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta
from lbaas.wire.state import WIRE_VERSION, StateBody, Write

Kind = Literal["cluster", "host"]


@dataclass(frozen=True)
class Update:
    """*delta* leads from the state of revision *base*, or from nothing if that is None, to *revision*.

    *writes* tell where it came from, and are no part of the state; of a whole one, how it came about lately.
    """

    kind: Kind
    base: int | None
    revision: int
    delta: Delta
    writes: tuple[Write, ...] = ()


def encode(update: Update) -> bytes:
    """The canonical JSON of the :class:`StateBody`, put together from values that are canonical already."""
    changed = sorted(update.delta.changed.items())
    return b"".join(
        (
            b'{"base":%s,"changed":{' % canonical_json(update.base),
            b",".join(b"%s:%s" % (_text(key), value) for key, value in changed),
            b'},"deleted":[',
            b",".join(map(_text, sorted(update.delta.deleted))),
            b'],"kind":"%s","revision":%d,' % (update.kind.encode(), update.revision),
            b'"version":%d' % WIRE_VERSION,
            # After the entries: a reader that knows nothing of writes finds the head that it knows.
            b',"writes":%s' % _documents(update.writes) if update.writes else b"",
            b"}",
        )
    )


def decode(body: bytes) -> Update:
    """The update in *body*. Raises BadState if it is none, or of a version that we don't speak."""
    try:
        envelope, changed = _opened(body.decode())
        parsed = StateBody.model_validate_json(envelope)
    except (ValueError, RecursionError) as error:  # pydantic's, json's and the codec's
        raise BadState(f"not a state: {error}") from error
    if parsed.version != WIRE_VERSION:
        raise BadState(
            f"the server speaks wire version {parsed.version}, this agent {WIRE_VERSION}: upgrade the agent"
        )
    changed |= {key: canonical_json(value) for key, value in parsed.changed.items()}
    _disjoint(changed, parsed.deleted)
    delta = Delta(changed, frozenset(parsed.deleted))
    return Update(parsed.kind, parsed.base, parsed.revision, delta, parsed.writes)


def _opened(text: str) -> tuple[str, dict[str, bytes]]:
    """*text* without its entries, and these, read one after the other.

    A whole state as one tree of objects takes ten times the memory of its bytes. In a text that does not begin
    as canonical JSON does, all is left where it is.
    """
    changed: dict[str, bytes] = {}
    head = _HEAD.match(text)
    if head is None:
        return text, changed
    place = head.end()
    while text[place : place + 1] == '"':
        key, place = _JSON.raw_decode(text, place)
        value, place = _JSON.raw_decode(text, place + 1)
        changed[key] = canonical_json(value)
        if text[place : place + 1] != ",":
            break
        place += 1
    return text[: head.end()] + text[place:], changed


_HEAD = re.compile(r'\{"base":(?:null|\d+),"changed":\{')
_JSON = JSONDecoder()


def _disjoint(changed: Iterable[str], deleted: Iterable[str]) -> None:
    if both := set(changed) & set(deleted):
        raise BadState(f"not a state: {min(both)} is both changed and deleted")


def _documents(writes: Iterable[Write]) -> bytes:
    return canonical_json([write.model_dump(exclude_none=True) for write in writes])


def _text(key: str) -> bytes:
    return encode_basestring(key).encode()
