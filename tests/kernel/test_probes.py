"""The table of probes on a real kernel: applied, it lists as expected."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.probes.apply import apply
from lbaas.dataplane.probes.desired import FAMILY, TABLE, declaration
from lbaas.dataplane.probes.observe import expected, observe
from lbaas.dataplane.probes.plan import plan
from lbaas.wire.state import MarkRange

DECLARED = declaration(MarkRange(first=0x10010000, last=0x1010FFFF))


@pytest.fixture
def nft() -> Iterator[Nft]:
    with closing(Nft()) as opened:
        yield opened
        opened.run(f"add table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\n")


def test_one_plan_makes_the_table_and_the_next_is_empty(nft: Nft) -> None:
    wanted = expected(nft, DECLARED)
    steps = plan(observe(nft), wanted, DECLARED).establish
    assert apply(nft, steps).applied == steps
    assert len(plan(observe(nft), wanted, DECLARED)) == 0


def test_a_rule_of_somebody_else_in_it_is_removed(nft: Nft) -> None:
    wanted = expected(nft, DECLARED)
    apply(nft, plan(observe(nft), wanted, DECLARED).establish)
    nft.run(f"add rule {FAMILY} {TABLE} leaving drop\n")
    apply(nft, plan(observe(nft), wanted, DECLARED).establish)
    assert observe(nft) == wanted
