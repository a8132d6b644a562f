"""The state on disk: whole, or not used."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from lbaas.agent.last_good import LastGood
from lbaas.client.agent import Fetched
from lbaas.errors import BadState
from lbaas.wire.entries import Entries
from lbaas.wire.lineage import Origin

ENTRIES = Entries.of({"cluster": b'{"as_number":65001}', "vip/1": b'{"address":"198.51.100.9"}'})
STATE = Fetched(UUID(int=5), "cluster", 42, ENTRIES)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    LastGood(tmp_path).save(STATE)
    assert LastGood(tmp_path).load() == STATE


def test_where_it_came_from_is_saved_with_it(tmp_path: Path) -> None:
    known = replace(STATE, origin=Origin(UUID(int=9), 1_700_000_000_000_000))
    LastGood(tmp_path).save(known)
    assert LastGood(tmp_path).load() == known


def test_nothing_saved_is_nothing_loaded(tmp_path: Path) -> None:
    assert LastGood(tmp_path).load() is None


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    LastGood(tmp_path).save(STATE)
    (saved,) = tmp_path.iterdir()
    assert saved.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("length", [0, 10, 60, 130, 200])
def test_a_file_cut_short_is_not_used(tmp_path: Path, length: int) -> None:
    LastGood(tmp_path).save(STATE)
    (saved,) = tmp_path.iterdir()
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(BadState):
        LastGood(tmp_path).load()


def test_a_flipped_byte_is_not_used(tmp_path: Path) -> None:
    LastGood(tmp_path).save(STATE)
    (saved,) = tmp_path.iterdir()
    saved.write_bytes(saved.read_bytes().replace(b"100.9", b"100.8"))
    with pytest.raises(BadState, match="digest"):
        LastGood(tmp_path).load()


def test_a_directory_that_takes_no_file_is_an_error_and_keeps_the_old(tmp_path: Path) -> None:
    LastGood(tmp_path).save(STATE)
    (saved,) = tmp_path.iterdir()
    with pytest.raises(OSError, match="No such file"):
        LastGood(tmp_path / "absent").save(STATE)
    assert saved.exists()
    assert LastGood(tmp_path).load() == STATE
