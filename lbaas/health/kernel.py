"""Who is in service according to the kernel, which remembers across restarts of the agent."""

from lbaas.dataplane.ipvs.listing import parse
from lbaas.dataplane.ipvs.observe import LISTING
from lbaas.health.roster import Place


def in_service() -> frozenset[Place]:
    """The backends that IPVS sends new flows to; none where there is no IPVS yet."""
    try:
        text = LISTING.read_bytes()
    except FileNotFoundError:
        return frozenset()
    return frozenset(
        (listed.mark, each.address)
        for listed in parse(text)
        for each in listed.destinations
        if each.weight
    )
