"""The table as the kernel has it, and as it would list if it were as wanted."""

from lbaas.dataplane.guard.desired import FAMILY, TABLE
from lbaas.dataplane.nftables import Nft, learn_structure


def expected(nft: Nft, declaration: str, scratch: str = TABLE) -> str:
    """How a table declared so lists on this machine. Two that learn it at the same time must not use one *scratch*."""
    return learn_structure(nft, FAMILY, scratch, declaration, elements=True)


def observe(nft: Nft) -> str | None:
    """The table's listing, with elements and without counts."""
    return nft.structure(FAMILY, TABLE, elements=True)
