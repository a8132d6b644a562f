from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from lbaas.services.ledger import book
from lbaas.wire.usage import UsageReport

NOW = datetime(2026, 11, 23, 6, 54, 30, 500, tzinfo=UTC)
KEPT = timedelta(days=400)


def report(begun_s: int) -> UsageReport:
    return UsageReport(meter=UUID(int=1), sequence=1, begun_s=begun_s, ended_s=begun_s + 60)


@pytest.mark.parametrize("ago", [timedelta(), timedelta(minutes=1), timedelta(days=399)])
def test_a_report_is_booked_where_its_period_begins(ago: timedelta) -> None:
    begun_s = int((NOW - ago).timestamp())

    booked = book(report(begun_s), NOW, KEPT)

    assert (booked.at.timestamp(), booked.misdated) == (begun_s, False)


@pytest.mark.parametrize("begun_s", [0, 1 << 40])
def test_what_a_wrong_clock_says_is_booked_at_the_nearest_time_that_is_kept(begun_s: int) -> None:
    booked = book(report(begun_s), NOW, KEPT)

    assert booked.misdated
    assert NOW - KEPT <= booked.at <= NOW
    assert min(NOW - booked.at, booked.at - (NOW - KEPT)) < timedelta(seconds=1)
