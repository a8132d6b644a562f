"""The table, replaced, or what is in its sets changed."""

from collections.abc import Iterator, Sequence

from lbaas.dataplane.guard.desired import FAMILY, TABLE
from lbaas.dataplane.guard.plan import ChangeSets, GuardStep, ReplaceTable, Sets
from lbaas.dataplane.nftables import Nft, NftRefused
from lbaas.dataplane.steps import Outcome, try_each

_OWN = f"{FAMILY} {TABLE}"


def transaction(step: GuardStep) -> str:
    """The commands that do what *step* says."""
    match step:
        case ReplaceTable(declaration=declaration):
            return f"add table {_OWN}\ndelete table {_OWN}\ntable {_OWN} {{\n{declaration}}}\n"
        case ChangeSets(added=added, removed=removed):
            return "".join((*_elements("delete", removed), *_elements("add", added)))


def apply(nft: Nft, steps: Sequence[GuardStep]) -> Outcome[GuardStep]:
    """All were tried."""
    return try_each("guard", steps, lambda step: nft.run(transaction(step)), NftRefused)


def _elements(verb: str, sets: Sets) -> Iterator[str]:
    for name, held in sorted(sets.items()):
        yield f"{verb} element {_OWN} {name} {{ {', '.join(sorted(held))} }}\n"
