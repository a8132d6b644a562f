"""The documents: one encoding, one digest, and what a reader refuses."""

import json
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from pydantic import ValidationError

from lbaas.errors import BadState
from lbaas.wire.canonical import canonical_json, digest
from lbaas.wire.state import HostState, PortRange, parse_state

STATE = HostState(
    host=UUID(int=1), revision=3, endpoints=(IPv4Address("10.0.20.11"),), vips=(), nodes=()
)


def test_a_document_survives_the_wire() -> None:
    assert parse_state(HostState, canonical_json(STATE)) == STATE


def test_equal_documents_have_equal_bytes_and_digests() -> None:
    body = canonical_json(STATE)
    again = canonical_json(parse_state(HostState, body))
    assert body == again
    assert digest(body) == digest(again)
    assert b" " not in body


def test_an_unknown_field_is_a_newer_servers_and_ignored() -> None:
    body = json.loads(canonical_json(STATE)) | {"colour": "green"}
    assert parse_state(HostState, json.dumps(body).encode()) == STATE


def test_an_unknown_version_is_refused_with_what_to_do() -> None:
    body = json.loads(canonical_json(STATE)) | {"version": 2}
    with pytest.raises(BadState, match="upgrade the agent"):
        parse_state(HostState, json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind":"cluster"}', b"\xff"])
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(BadState):
        parse_state(HostState, body)


def test_a_range_of_ports_ends_where_it_begins_or_later() -> None:
    assert PortRange(first=80, last=80).last == 80
    with pytest.raises(ValidationError, match="ends before it begins"):
        PortRange(first=81, last=80)
