"""What follows what is held, and what comes from another past."""

from uuid import UUID

import pytest

from lbaas.wire.lineage import EPOCH, FORGOTTEN, MADE_AT, Origin, follows

HELD = Origin(UUID(int=1), 700)
OFFERED = Origin(UUID(int=1), 900)
RENEWED = Origin(UUID(int=2), 500)


@pytest.mark.parametrize("since", ["700", FORGOTTEN])
def test_a_server_that_knows_the_held_revision_is_followed(since: str) -> None:
    assert follows(HELD, OFFERED, since)


@pytest.mark.parametrize("since", [None, "701", ""])
def test_one_that_does_not_know_it_is_not(since: str | None) -> None:
    assert not follows(HELD, OFFERED, since)


@pytest.mark.parametrize("since", [None, "701"])
def test_a_new_epoch_is_an_operators_word(since: str | None) -> None:
    assert follows(HELD, RENEWED, since)


def test_who_holds_nothing_or_asks_an_older_server_takes_what_comes() -> None:
    assert follows(None, OFFERED, None)
    assert follows(HELD, None, None)


def test_an_origin_is_read_from_headers() -> None:
    headers = {EPOCH: str(UUID(int=1)), MADE_AT: "700"}
    assert Origin.of(headers) == HELD
    assert Origin.of({}) is None
    with pytest.raises(ValueError, match="invalid literal"):
        Origin.of({**headers, MADE_AT: "soon"})
