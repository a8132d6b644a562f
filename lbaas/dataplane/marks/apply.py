"""Steps, sent to nftables."""

from collections.abc import Sequence

from lbaas.dataplane.marks.plan import MarkStep
from lbaas.dataplane.marks.render import transaction
from lbaas.dataplane.nftables import Nft, NftRefused
from lbaas.dataplane.steps import Outcome
from lbaas.errors import StepFailed


def apply(nft: Nft, steps: Sequence[MarkStep], declaration: str) -> Outcome[MarkStep]:
    """All *steps* at once; where nftables refuses that, each by itself, so that one stops no other."""
    if not steps:
        return Outcome()
    try:
        nft.run(transaction(steps, declaration))
    except NftRefused:
        return _one_by_one(nft, steps, declaration)
    return Outcome(applied=tuple(steps))


def _one_by_one(nft: Nft, steps: Sequence[MarkStep], declaration: str) -> Outcome[MarkStep]:
    applied: list[MarkStep] = []
    failed: list[tuple[MarkStep, StepFailed]] = []
    for step in steps:
        try:
            nft.run(transaction([step], declaration))
        except NftRefused as error:
            failure = StepFailed("marks", type(step).__name__, step.key, str(error))
            failed.append((step, failure))
        else:
            applied.append(step)
    return Outcome(tuple(applied), tuple(failed))
