"""The table, replaced or gone."""

from collections.abc import Sequence

from lbaas.dataplane.nftables import Nft, NftRefused
from lbaas.dataplane.passage.desired import FAMILY, TABLE
from lbaas.dataplane.passage.plan import PassageStep, ReplaceTable
from lbaas.dataplane.steps import Outcome, try_each


def transaction(step: PassageStep) -> str:
    """The commands of *step*, whatever stood there."""
    own = f"{FAMILY} {TABLE}"
    gone = f"add table {own}\ndelete table {own}\n"
    if isinstance(step, ReplaceTable):
        return f"{gone}table {own} {{\n{step.declaration}}}\n"
    return gone


def apply(nft: Nft, steps: Sequence[PassageStep]) -> Outcome[PassageStep]:
    """All were tried."""
    return try_each("passage", steps, lambda step: nft.run(transaction(step)), NftRefused)
