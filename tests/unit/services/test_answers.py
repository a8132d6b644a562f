"""One body for all who ask the same, in the best coding that they take."""

import asyncio
import gzip

import pytest
import zstandard

from lbaas.compiler.history import History
from lbaas.services.answers import IDENTITY, MAX_ANSWERS, Published, choose_coding
from lbaas.services.books import Book
from lbaas.wire.body import decode
from lbaas.wire.entries import Entries

OLD = Entries.of({"vip/1": b"1", "vip/2": b"2"})
NEW = Entries.of({"vip/1": b"11", "vip/3": b"3"})
HISTORY = History(4).then(6, frozenset({"vip/1", "vip/2", "vip/3"}))


def published() -> Published:
    return Published("cluster", Book(6, NEW, HISTORY))


@pytest.mark.parametrize("since", [4, 5])
def test_a_delta_leads_to_the_newest_state_and_proves_it(since: int) -> None:
    answer = published().answer(since)
    update = decode(answer.body)

    assert (update.base, update.revision, answer.revision) == (since, 6, 6)
    assert update.delta.deleted == {"vip/2"}
    assert OLD.after(update.delta).digest == answer.digest == NEW.digest


@pytest.mark.parametrize("since", [None, 3])
def test_whoever_has_nothing_or_is_too_far_behind_gets_the_whole(since: int | None) -> None:
    update = decode(published().answer(since).body)

    assert update.base is None
    assert Entries.of(update.delta.changed) == NEW


def test_all_who_ask_the_same_get_the_same_object() -> None:
    shared = published()

    assert shared.answer(5) is shared.answer(5)
    assert shared.answer(None) is shared.answer(3) is shared.answer(2)


def test_only_so_many_spans_are_kept() -> None:
    shared = Published("cluster", Book(100, NEW, History(0)))
    first = shared.answer(0)
    for since in range(1, MAX_ANSWERS + 1):
        shared.answer(since)
    assert shared.answer(0) is not first
    assert shared.answer(0) == first


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_body_is_compressed_once_for_each_coding(size: int) -> None:
    shared = Published("cluster", Book(6, Entries.of({"vip/1": b'"%s"' % (b"x" * size)}), HISTORY))
    answer = shared.answer(None)

    async def scene() -> dict[str, bytes]:
        made = {}
        for coding in ("zstd", "gzip", IDENTITY):
            first, second = await asyncio.gather(answer.encoded(coding), answer.encoded(coding))
            assert first is second
            made[coding] = first
        return made

    made = asyncio.run(scene())
    assert made[IDENTITY] == answer.body
    assert gzip.decompress(made["gzip"]) == answer.body
    assert zstandard.ZstdDecompressor().decompress(made["zstd"]) == answer.body


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", IDENTITY),
        ("br", IDENTITY),
        ("gzip", "gzip"),
        ("gzip, deflate, zstd", "zstd"),
        ("GZIP;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd; q=0.000,gzip ; q=0", IDENTITY),
    ],
)
def test_the_best_coding_that_is_accepted_is_chosen(accepted: str, chosen: str) -> None:
    assert choose_coding(accepted) == chosen
