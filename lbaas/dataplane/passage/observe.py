"""The table as the kernel has it, and as it would list if it were as wanted."""

from lbaas.dataplane.nftables import Nft, learn_structure
from lbaas.dataplane.passage.desired import FAMILY, TABLE


def expected(nft: Nft, declaration: str) -> str:
    """How a table declared so lists on this machine."""
    return learn_structure(nft, FAMILY, TABLE, declaration, elements=True)


def observe(nft: Nft) -> str | None:
    """The table's listing, with elements and without counts."""
    return nft.structure(FAMILY, TABLE, elements=True)
