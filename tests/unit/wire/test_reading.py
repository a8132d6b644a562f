"""Entries as an agent reads them; what a server compiles is read in tests/unit/compiler."""

from uuid import UUID

import pytest

from lbaas.errors import BadState
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.reading import Reader
from lbaas.wire.state import ClusterState, HostState

HOST = Entries.of(
    {
        "host": canonical_json({"host": str(UUID(int=1)), "endpoints": ["10.0.20.11"]}),
        "node/10.0.10.12": canonical_json({"address": "10.0.10.12"}),
        "node/10.0.10.2": canonical_json({"address": "10.0.10.2"}),
    }
)


def test_a_host_reads_its_own_sorted_by_address() -> None:
    state = Reader(HostState).read(HOST, 7)

    assert (state.host, state.revision, state.vips) == (UUID(int=1), 7, ())
    assert [str(node) for node in state.nodes] == ["10.0.10.2", "10.0.10.12"]


def test_a_reader_sees_what_changed_since_it_last_read() -> None:
    reader = Reader(HostState)
    reader.read(HOST, 7)
    vip = canonical_json({"address": "2001:db8::1"})
    changed = Delta({"vip/2001:db8::1": vip}, frozenset({"node/10.0.10.2"}))

    state = reader.read(HOST.after(changed), 8)

    assert [str(vip) for vip in state.vips] == ["2001:db8::1"]
    assert [str(node) for node in state.nodes] == ["10.0.10.12"]


def test_entries_of_a_kind_that_we_do_not_know_are_a_newer_servers_and_ignored() -> None:
    newer = HOST.after(Delta({"tunnel/7": b"{}"}))
    assert Reader(HostState).read(newer, 7) == Reader(HostState).read(HOST, 7)


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"host": b"{}"},
        {"host": HOST.values["host"], "vip/1": b'{"address":"nowhere"}'},
        {"node/x": b'{"name":"lb1","admin_state":"active"}'},
    ],
)
def test_what_can_not_be_read_is_refused(entries: dict[str, bytes]) -> None:
    with pytest.raises(BadState):
        Reader(HostState).read(Entries.of(entries), 1)
    with pytest.raises(BadState):
        Reader(ClusterState).read(Entries.of(entries), 1)
