"""Sums by who pays: prefixes add up to totals, the largest are told apart."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.usage.reading import Reading
from lbaas.metering import periods
from lbaas.metering.periods import Named, Period, Sums, merged
from lbaas.wire.usage import Point

A, B, WEB = UUID(int=1), UUID(int=2), UUID(int=3)
NAMES = {b"\1\0\0\0": Named(A, WEB), b"\2\0\0\0": Named(A), b"\3\0\0\0": Named(B)}


def node(subject: int, client: int | None, packets: int, size: int) -> Reading:
    key = b"" if client is None else bytes([10, 0, client, 0])
    return Reading(Point.NODE, bytes([subject, 0, 0, 0]), key, 24 if key else 0, packets, size)


READINGS = st.lists(
    st.builds(
        node,
        st.integers(1, 3),
        st.integers(0, 40) | st.none(),
        st.integers(1, 9),
        st.integers(20, 99),
    )
)


def period_of(readings: list[Reading]) -> Period:
    sums = Sums()
    for reading in readings:
        sums.enter(reading, NAMES)
    return sums.period(0, 60, 0)


@given(READINGS)
def test_what_is_told_is_what_was_read_and_prefixes_add_up_to_totals(
    readings: list[Reading],
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(periods, "PREFIXES_OF_VIP", 5)
        patched.setattr(periods, "PREFIXES", 7)
        period = period_of(readings)
    assert sum(each.packets for each in period.totals) == sum(each.packets for each in readings)
    for vip in (A, B):
        totals = [(each.packets, each.bytes) for each in period.totals if each.vip == vip]
        prefixes = [(each.packets, each.bytes) for each in period.prefixes if each.vip == vip]
        assert [sum(column) for column in zip(*totals, strict=True)] == [
            sum(column) for column in zip(*prefixes, strict=True)
        ]
    named = [(each.vip, each.prefix) for each in period.prefixes]
    assert len(named) == len(set(named))
    assert sum(prefix is not None for _, prefix in named) <= 7


def test_the_prefixes_with_the_most_bytes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "PREFIXES_OF_VIP", 2)
    told = period_of([node(1, client, 1, size) for client, size in enumerate((50, 90, 70, 60))])
    assert [(str(each.prefix), each.bytes) for each in told.prefixes] == [
        ("10.0.1.0/24", 90),
        ("10.0.2.0/24", 70),
        ("None", 110),
    ]


def test_listeners_of_one_vip_share_its_prefixes() -> None:
    told = period_of([node(1, 7, 1, 50), node(2, 7, 2, 60)])
    assert [(each.listener, each.packets) for each in told.totals] == [(WEB, 1), (None, 2)]
    assert [(each.vip, each.packets) for each in told.prefixes] == [(A, 3)]


def test_what_is_nobodys_is_said_and_not_told() -> None:
    sums = Sums()
    sums.enter(node(9, 7, 4, 50), NAMES)
    assert (sums.unnamed, sums.period(0, 60, 0).totals) == (4, ())


def test_a_vip_that_only_received_has_totals_and_no_prefixes() -> None:
    sums = Sums()
    sums.enter(Reading(Point.TUNNEL, b"\3\0\0\0", b"", 0, 2, 80), NAMES)
    period = sums.period(0, 60, 0)
    assert [(each.point, each.packets) for each in period.totals] == [(Point.TUNNEL, 2)]
    assert period.prefixes == ()


@given(READINGS, READINGS)
def test_merged_periods_tell_what_each_would_have(one: list[Reading], two: list[Reading]) -> None:
    whole = merged([period_of(one), period_of(two)])
    alone = period_of([*one, *two])
    assert whole.merged == 2
    assert {each.vip: each for each in whole.totals if each.listener is None} == {
        each.vip: each for each in alone.totals if each.listener is None
    }
    assert set(whole.prefixes) == set(alone.prefixes)


def test_a_clock_that_was_set_back_makes_no_period_that_ends_before_it_begins() -> None:
    assert Sums().period(600, 540, 0).ended_s == 600
