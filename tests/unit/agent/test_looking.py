"""What both agents take for their own, and what becomes of a look that fails."""

import pytest

from lbaas.agent.looking import ours, seen
from lbaas.errors import ToolMissing
from lbaas.explain.hops import Unseen


@pytest.mark.parametrize(
    ("family", "table", "is_ours"),
    [("inet", "lbaas", True), ("inet", "lbaas_probes", True), ("ip", "lbaas", False)],
)
def test_our_own_tables_are_told_from_others(family: str, table: str, *, is_ours: bool) -> None:
    assert ours(family, table) is is_ours


def test_what_cannot_be_looked_at_says_why() -> None:
    def look() -> int:
        raise ToolMissing("no IPVS here")

    assert seen(look) == Unseen("no IPVS here")
    assert seen(lambda: 7) == 7
