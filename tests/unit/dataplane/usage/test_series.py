"""Sets are known by their names."""

from lbaas.dataplane.usage.series import Series, parse, series
from lbaas.wire.usage import Point
from tests.unit.dataplane.usage.test_render import HOST, NODE


def test_every_set_of_a_generation_is_known_by_its_name() -> None:
    for tally in (*NODE.tallies, *HOST.tallies):
        names = list(series(tally, 1764918000))
        assert list(parse(map(str, names))) == names


def test_what_a_name_says() -> None:
    assert list(parse(["reply6_stamped_56_100", "node4_single_all_7"])) == [
        Series(Point.REPLY, 6, "stamped", 56, 100),
        Series(Point.NODE, 4, "single", None, 7),
    ]


def test_sets_that_are_no_series_are_passed_over() -> None:
    assert list(parse(["vips4", "node4_fresh", "node4_other_24_7", "node5_single_24_7"])) == []
