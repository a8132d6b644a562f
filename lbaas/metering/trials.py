"""What counting needs of a kernel."""

from contextlib import closing
from functools import partial

from lbaas.agent.capabilities import Trial
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage.apply import turn
from lbaas.dataplane.usage.desired import Meter


def counting_trial(meter: Meter) -> Trial:
    """Whether the kernel can hold *meter*'s table."""
    without = "usage is not counted; Linux 5.7 has it"
    return Trial("nftables: counting by prefix", without, partial(_turn, meter))


def _turn(meter: Meter) -> None:
    with closing(Nft()) as nft:
        turn(nft, meter, 1)
