import pytest

from lbaas.errors import RateLimited
from lbaas.services.rates import Rates


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    rates = Rates("3/hour")
    for _ in range(3):
        rates.count("token:a")

    with pytest.raises(RateLimited) as caught:
        rates.count("token:a")

    assert caught.value.retry_after_s is not None
    assert 1 <= caught.value.retry_after_s <= 3600


def test_one_bearers_haste_is_not_anothers() -> None:
    rates = Rates("1/hour")
    rates.count("token:a")

    rates.count("token:b")


def test_without_a_limit_everything_is_allowed() -> None:
    rates = Rates(None)
    for _ in range(1000):
        rates.count("token:a")
