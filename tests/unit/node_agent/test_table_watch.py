"""The watch over the marks' table, on an nftables that is a number and a text."""

import pytest

from lbaas.node_agent.table_watch import TableWatch


class Watched:
    """*listings* counts how often the table was read, *torn* how often it was told of."""

    def __init__(self) -> None:
        self.expected: str | None = "rules"
        self.listed: str | None = "rules"
        self.generation = 1
        self.listings = self.torn = 0
        self._watch = TableWatch(lambda: self.expected, self._tear)

    def look(self) -> None:
        self._watch.look(lambda: self.generation, self._list)

    def _tear(self) -> None:
        self.torn += 1

    def _list(self) -> str | None:
        self.listings += 1
        return self.listed


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_table_is_read_only_after_something_has_changed(watched: Watched) -> None:
    for _ in range(3):
        watched.look()
    watched.generation += 1
    watched.look()
    assert (watched.listings, watched.torn) == (2, 0)


@pytest.mark.parametrize("left", [None, "other rules"])
def test_a_table_that_is_gone_or_changed_is_told_of_once(
    watched: Watched, left: str | None
) -> None:
    watched.look()
    watched.listed, watched.generation = left, 2
    watched.look()
    watched.look()
    assert watched.torn == 1


def test_a_table_in_the_making_is_looked_at_when_it_is_made(watched: Watched) -> None:
    watched.expected, watched.listed = None, None
    watched.look()
    assert watched.listings == 0
    watched.expected = "rules"
    watched.look()
    assert watched.torn == 1
