"""Steps, sent to nftables."""

from collections.abc import Sequence

from lbaas.dataplane.marks.plan import MarkStep
from lbaas.dataplane.marks.render import transaction
from lbaas.dataplane.nftables import Nft, NftRefused
from lbaas.dataplane.steps import Outcome, try_each


def apply(nft: Nft, steps: Sequence[MarkStep], declaration: str) -> Outcome[MarkStep]:
    """All *steps* at once; where nftables refuses that, each by itself, so that one stops no other."""
    if not steps:
        return Outcome()
    try:
        nft.run(transaction(steps, declaration))
    except NftRefused:
        return try_each(
            "marks", steps, lambda step: nft.run(transaction([step], declaration)), NftRefused
        )
    return Outcome(applied=tuple(steps))
