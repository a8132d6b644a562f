"""Which report counts, and who is stale."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from lbaas.persistence.models import Node
from lbaas.services.reports import STALE_AFTER, is_newer, stale
from lbaas.wire.report import Report

BOOT, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
REPORT = Report(boot=BOOT, sequence=5, revision=1, digest="d", changes=0, repaired=0)


@pytest.mark.parametrize(
    ("boot", "sequence", "newer"),
    [
        (None, None, True),
        (BOOT, 4, True),
        (BOOT, 5, False),
        (BOOT, 6, False),
        (OTHER, 6, True),
    ],
)
def test_a_report_is_newer_than_an_earlier_one_of_its_boot_and_any_of_another(
    boot: UUID | None, sequence: int | None, newer: bool
) -> None:
    assert is_newer(REPORT, boot, sequence) is newer


@pytest.mark.parametrize(
    ("silent_for", "is_stale"),
    [(timedelta(), False), (STALE_AFTER, False), (STALE_AFTER * 2, True)],
)
def test_an_agent_that_was_silent_for_long_is_stale(silent_for: timedelta, is_stale: bool) -> None:
    assert stale(Node(reported_at=NOW - silent_for), NOW) is is_stale


def test_an_agent_that_never_reported_is_stale() -> None:
    assert stale(Node(reported_at=None), NOW)
