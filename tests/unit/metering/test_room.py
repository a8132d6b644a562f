"""Which periods are merged when the buffer is full."""

from lbaas.metering.room import Kept, Room, to_merge

MINUTES = [Kept(place, 60 * place, 0, 10) for place in range(58, 63)]


def test_nothing_is_merged_while_there_is_room() -> None:
    assert to_merge(MINUTES, Room(periods=5, size=50)) is None


def test_too_many_or_too_large_the_oldest_of_one_hour_become_one() -> None:
    assert to_merge(MINUTES, Room(periods=4)) == (58, 59)
    assert to_merge(MINUTES, Room(size=49)) == (58, 59)


def test_those_that_cover_least_come_first() -> None:
    kept = [Kept(1, 0, 2, 10), Kept(2, 120, 0, 10), Kept(3, 180, 0, 10)]
    assert to_merge(kept, Room(periods=2)) == (2, 3)


def test_hours_stay_apart_as_long_as_something_else_can_be_merged() -> None:
    kept = [Kept(1, 3540, 0, 10), Kept(2, 3600, 9, 10), Kept(3, 3660, 9, 10)]
    assert to_merge(kept, Room(periods=2)) == (2, 3)
    assert to_merge(kept[:2], Room(periods=1)) == (1, 2)


def test_what_the_server_may_have_stays_as_it_is() -> None:
    kept = [Kept(1, 0, 0, 10, sent=True), Kept(2, 60, 0, 10), Kept(3, 120, 0, 10)]
    assert to_merge(kept, Room(periods=1)) == (2, 3)
    assert to_merge(kept[:2], Room(periods=1)) is None
