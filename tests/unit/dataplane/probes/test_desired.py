"""The table of probes. The golden is fed to the real nft in tests/integration/programs."""

from lbaas.dataplane.probes.apply import transaction
from lbaas.dataplane.probes.desired import declaration
from lbaas.dataplane.probes.plan import ReplaceTable, plan
from lbaas.wire.state import MarkRange
from tests.golden_files import assert_golden


def test_the_table() -> None:
    text = declaration(MarkRange(first=0x10010000, last=0x1010FFFF))
    assert_golden("probes.nft", transaction(text))


def test_a_listing_that_differs_is_replaced_whole_and_one_that_does_not_is_left() -> None:
    assert plan("as wanted", "as wanted", "text").establish == ()
    assert plan(None, "as wanted", "text").establish == (ReplaceTable("text"),)
