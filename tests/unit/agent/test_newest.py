"""Only the newest value is handed over."""

from lbaas.agent.newest import Newest


def test_older_values_are_dropped() -> None:
    newest: Newest[int] = Newest()
    for value in (1, 2, 3):
        newest.put(value)
    assert newest.take(timeout_s=0) == 3
    assert newest.take(timeout_s=0) is None


def test_waking_gives_no_value_and_takes_none_away() -> None:
    newest: Newest[int] = Newest()
    newest.wake()
    assert newest.waiting()
    assert newest.take(timeout_s=60) is None
    newest.put(1)
    newest.wake()
    assert newest.take(timeout_s=0) == 1
