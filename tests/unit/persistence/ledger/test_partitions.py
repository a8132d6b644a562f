from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.persistence.ledger.partitions import HOURS, MINUTES, PREFIXES, Series

EPOCH_S = 1_600_000_000
AT = datetime(2026, 11, 23, 6, 54, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("series", "name"),
    [
        (MINUTES, "usage_minute_2026112306"),
        (HOURS, "usage_hour_202611"),
        (PREFIXES, "usage_prefix_20261123"),
    ],
)
def test_a_partition_is_named_by_where_it_begins(series: Series, name: str) -> None:
    assert series.name(series.begin(AT)) == name


@given(
    st.sampled_from([MINUTES, HOURS, PREFIXES]),
    st.integers(EPOCH_S, 2 * EPOCH_S).map(lambda at_s: datetime.fromtimestamp(at_s, UTC)),
)
def test_a_partitions_name_says_where_it_ends(series: Series, at: datetime) -> None:
    begin = series.begin(at)

    end = series.ends(series.name(begin))

    assert begin <= at < end
    assert series.begin(end) == end
