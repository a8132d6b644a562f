"""The body of an answer with a state, written and read."""

from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Literal

from pydantic import ValidationError

from lbaas.errors import BadState
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta
from lbaas.wire.state import WIRE_VERSION, StateBody

Kind = Literal["cluster", "host"]


@dataclass(frozen=True)
class Update:
    """*delta* leads from the state of revision *base*, or from nothing if that is None, to *revision*."""

    kind: Kind
    base: int | None
    revision: int
    delta: Delta


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
            b'"version":%d}' % WIRE_VERSION,
        )
    )


def decode(body: bytes) -> Update:
    """The update in *body*. Raises BadState if it is none, or of a version that we don't speak."""
    try:
        parsed = StateBody.model_validate_json(body)
    except ValidationError as error:
        raise BadState(f"not a state: {error}") from error
    if parsed.version != WIRE_VERSION:
        raise BadState(
            f"the server speaks wire version {parsed.version}, this agent {WIRE_VERSION}: upgrade the agent"
        )
    changed = {key: canonical_json(value) for key, value in parsed.changed.items()}
    _disjoint(changed, parsed.deleted)
    delta = Delta(changed, frozenset(parsed.deleted))
    return Update(parsed.kind, parsed.base, parsed.revision, delta)


def _disjoint(changed: Iterable[str], deleted: Iterable[str]) -> None:
    if both := set(changed) & set(deleted):
        raise BadState(f"not a state: {min(both)} is both changed and deleted")


def _text(key: str) -> bytes:
    return encode_basestring(key).encode()
