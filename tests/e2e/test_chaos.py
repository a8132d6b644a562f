"""A short schedule of chaos; scripts/chaos has long ones."""

import random

from lbaas.lab.site import Site
from tests.chaos.run import carry_out, ground
from tests.chaos.schedule import schedule
from tests.e2e.balanced import Balanced

STEPS = 20


def test_whatever_strikes_nothing_is_lost_mixed_up_or_touched_that_is_not_ours(
    site: Site, balanced4: Balanced
) -> None:
    """The seed is printed: scripts/chaos --seed SEED --length 20 does the same again."""
    seed = random.randrange(1 << 31)
    print(f"seed {seed}")
    carry_out(site, schedule(seed, STEPS, ground(site)), balanced4.address, print)
    balanced4.wait_programmed()
