from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lbaas.domain.terms import Role
from lbaas.domain.usage import DAY, HOUR, MINUTE, Dimension, Granularity, Question, Retention
from lbaas.errors import Forbidden, Invalid
from lbaas.services.usage import checked, owned, period
from lbaas.services.work import Caller

NOW = datetime(2026, 11, 23, 6, 54, 30, tzinfo=UTC)


def caller(role: Role) -> Caller:
    return Caller(bearer="token:t", name="t", role=role)


def question(**other: Any) -> Question:
    return Question(**{"begin": NOW - HOUR, "end": NOW, **other})


def test_a_period_is_rounded_outwards_and_ends_with_the_present() -> None:
    seven = datetime(2026, 11, 23, 7, tzinfo=UTC)

    assert period(None, None, NOW, HOUR) == (seven - 25 * HOUR, seven)
    assert period(NOW - HOUR, NOW + DAY, NOW, HOUR) == (seven - 2 * HOUR, seven)
    begin, end = period(NOW - MINUTE, NOW, NOW, MINUTE)
    assert end - begin == 2 * MINUTE


def test_a_period_may_begin_as_early_as_anybody_likes() -> None:
    begin, _ = period(datetime.min.replace(tzinfo=UTC), None, NOW, HOUR)

    assert begin == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("ahead", [timedelta(), DAY])
def test_a_period_that_ends_before_it_begins_is_refused(ahead: timedelta) -> None:
    with pytest.raises(Invalid, match="from"):
        period(NOW + ahead, NOW, NOW, HOUR)


@pytest.mark.parametrize(
    "asked",
    [
        question(by=frozenset({Dimension.PREFIX, Dimension.LISTENER})),
        question(granularity=Granularity.MINUTE, by=frozenset({Dimension.PREFIX})),
        question(granularity=Granularity.MINUTE, begin=NOW - 2 * DAY),
        question(granularity=Granularity.MINUTE, begin=NOW - 28 * HOUR, end=NOW - 27 * HOUR),
    ],
)
def test_what_the_ledger_can_not_tell_is_refused(asked: Question) -> None:
    with pytest.raises(Invalid):
        checked(asked, NOW, Retention())


def test_an_agent_asks_in_vain() -> None:
    with pytest.raises(Forbidden):
        owned(question(), caller(Role.NODE))
    assert owned(question(), caller(Role.ADMIN)) == question()
