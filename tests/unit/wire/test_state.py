import pytest
from pydantic import ValidationError

from lbaas.wire.state import PortRange


def test_a_range_of_ports_ends_where_it_begins_or_later() -> None:
    assert PortRange(first=80, last=80).last == 80
    with pytest.raises(ValidationError, match="ends before it begins"):
        PortRange(first=81, last=80)
