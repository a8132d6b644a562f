"""Usage as bars."""

from datetime import UTC, datetime

import pytest

from lbaas.portal.plots import PERIODS, plots, scaled

NOW = datetime(2026, 11, 23, 7, 40, tzinfo=UTC)
DAY, MONTH = PERIODS["day"], PERIODS["month"]


def counted(
    begun_at: str, direction: str, octets: int, connections: int | None
) -> dict[str, object]:
    sums = {"bytes": octets, "packets": 1, "connections": connections}
    return {"begun_at": begun_at, "direction": direction, **sums}


def test_a_period_ends_with_the_step_that_is_now() -> None:
    assert DAY.begins(NOW) == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert MONTH.begins(NOW) == datetime(2026, 10, 25, tzinfo=UTC)


def test_each_step_has_its_bar_and_the_highest_fills_the_plot() -> None:
    usages = [
        counted("2026-11-22T08:00:00Z", "ingress", 1_000_000, 10),
        counted("2026-11-23T07:00:00Z", "ingress", 4_000_000, 5),
        counted("2026-11-23T07:00:00Z", "egress", 9_000_000_000, None),
    ]
    ingress, egress, connections = plots(usages, DAY, NOW)
    assert [(bar.x, bar.height) for bar in ingress.bars] == [(0.42, 25.0), (96.25, 100.0)]
    assert ingress.bars[0].text == "22 Nov 08:00: 1 MB"
    assert (ingress.total, egress.total, connections.total) == ("5 MB", "9 GB", "15")
    assert egress.note == "at most 20 Mbit/s"


def test_what_is_outside_of_the_period_or_nothing_has_no_bar() -> None:
    usages = [
        counted("2026-11-22T07:00:00Z", "ingress", 7, 1),
        counted("2026-11-23T08:00:00Z", "ingress", 7, 1),
        counted("2026-11-23T07:00:00Z", "ingress", 0, 0),
    ]
    for plot in [*plots(usages, DAY, NOW), *plots([], MONTH, NOW)]:
        assert plot.bars == []
        assert plot.total in ("0 B", "0")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 "), (999, "999 "), (1000, "1 k"), (1_234_567, "1.23 M"), (5e18, "5000 P")],
)
def test_amounts_are_read_at_a_glance(amount: float, text: str) -> None:
    assert scaled(amount) == text
