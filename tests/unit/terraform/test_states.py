"""What a configuration says, as values."""

import pytest

from lbaas.cli.values import BadValue
from lbaas.terraform.states import seconds


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("0s", 0)]
)
def test_durations_are_terraforms(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "5", "5 m", "soon", "5d", "-5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="no duration"):
        seconds(text)
