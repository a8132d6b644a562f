"""The body of an answer: one encoding, and what a reader refuses."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.errors import BadState
from lbaas.wire.body import Update, decode, encode
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta
from lbaas.wire.state import Write

KEYS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=5,
)
UPDATE = Update("cluster", 3, 7, Delta({"vip/é": b'{"a":1}'}, frozenset({"vip/2"})))


@given(
    st.dictionaries(KEYS, VALUES),
    st.sets(KEYS),
    st.none() | st.integers(0, 2**63),
    st.integers(0, 2**63),
)
def test_what_was_encoded_is_decoded_and_its_encoding_is_canonical(
    changed: dict[str, object], deleted: set[str], base: int | None, revision: int
) -> None:
    values = {key: canonical_json(value) for key, value in changed.items()}
    update = Update("host", base, revision, Delta(values, frozenset(deleted - values.keys())))

    body = encode(update)

    assert decode(body) == update
    assert canonical_json(json.loads(body)) == body


def test_the_writes_that_led_there_are_told_behind_what_older_readers_know() -> None:
    writes = (
        Write(request_id="r-1", revision=5),
        Write(request_id="r-2", revision=7, traceparent=f"00-{1:032x}-{2:016x}-01"),
    )
    body = encode(replace(UPDATE, writes=writes))

    assert decode(body) == replace(UPDATE, writes=writes)
    assert canonical_json(json.loads(body)) == body
    assert body.startswith(encode(UPDATE)[:-1])


def test_a_value_is_brought_into_canonical_form_however_it_was_written() -> None:
    pretty = json.dumps(json.loads(encode(UPDATE)), indent=2).encode()
    assert decode(pretty) == UPDATE


def test_an_unknown_field_is_a_newer_servers_and_ignored() -> None:
    body = json.loads(encode(UPDATE)) | {"colour": "green"}
    assert decode(json.dumps(body).encode()) == UPDATE


def test_an_unknown_version_is_refused_with_what_to_do() -> None:
    body = json.loads(encode(UPDATE)) | {"version": 3}
    with pytest.raises(BadState, match="upgrade the agent"):
        decode(json.dumps(body).encode())


def test_a_key_that_is_changed_and_deleted_is_refused() -> None:
    body = json.loads(encode(UPDATE)) | {"deleted": ["vip/é"]}
    with pytest.raises(BadState, match="both"):
        decode(json.dumps(body).encode())


# Deeper than a parser can go, where entries are read one by one.
DEEP = b'{"base":null,"changed":{"vip/1":' + b"[" * 100_000


@pytest.mark.parametrize("cut", range(1, len(encode(UPDATE))))
def test_a_body_that_was_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(BadState):
        decode(encode(UPDATE)[:cut])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind":"cluster"}', b"\xff", DEEP])
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(BadState):
        decode(body)
