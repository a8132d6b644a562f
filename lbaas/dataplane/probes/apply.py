"""The table, replaced."""

from collections.abc import Sequence

from lbaas.dataplane.nftables import Nft, NftRefused
from lbaas.dataplane.probes.desired import FAMILY, TABLE
from lbaas.dataplane.probes.plan import ReplaceTable
from lbaas.dataplane.steps import Outcome, try_each


def transaction(declaration: str) -> str:
    """The commands that put the table in place, whatever stood there."""
    own = f"{FAMILY} {TABLE}"
    return f"add table {own}\ndelete table {own}\ntable {own} {{\n{declaration}}}\n"


def apply(nft: Nft, steps: Sequence[ReplaceTable]) -> Outcome[ReplaceTable]:
    """All were tried."""
    return try_each(
        "probes", steps, lambda step: nft.run(transaction(step.declaration)), NftRefused
    )
