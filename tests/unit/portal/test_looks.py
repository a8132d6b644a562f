import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lbaas.portal import assets, looks

NOW = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(), "now"),
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=3, seconds=9), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(seconds=-3), "now"),  # the database's clock is a little ahead
    ],
)
def test_a_moment_is_told_from_now(passed: timedelta, text: str) -> None:
    assert looks.ago((NOW - passed).isoformat(), NOW) == text


def test_who_never_reported_is_silent() -> None:
    assert looks.ago(None, NOW) == "never"
    assert looks.silent(None, NOW)
    assert not looks.silent(NOW.isoformat(), NOW)


def test_a_duration_is_told_in_its_own_units() -> None:
    assert [looks.lasting(each) for each in (0, 60, 5400)] == ["0 s", "1 min", "1 h 30 min"]


def test_an_events_value_is_told_in_words() -> None:
    value = {"first": 80, "hosts": ["a", "b"], "none": None}
    assert looks.said(value) == "first: 80, hosts: a, b, none: —"


def test_a_share_of_nothing_is_nothing() -> None:
    assert [looks.share(5, None), looks.share(5, 0), looks.share(5, 4)] == [0, 0, 100]


def test_an_asset_has_another_address_when_it_has_another_content() -> None:
    style = assets.Asset(b"a", "text/css")
    assert style.version != assets.Asset(b"b", "text/css").version
    assert assets.url("portal.css").startswith("/portal/static/")


def test_vendored_files_are_as_the_record_says() -> None:
    record = Path("docs/decisions/portal.md").read_text()
    for name in ("htmx.min.js", "modern-normalize.css"):
        assert hashlib.sha256(assets.ASSETS[name].body).hexdigest() in record
