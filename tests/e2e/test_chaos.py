"""A short schedule of chaos; scripts/chaos has long ones."""

import os

from lbaas.lab.site import Site
from tests.chaos.run import carry_out, ground
from tests.chaos.schedule import schedule
from tests.e2e.balanced import Balanced, settle

STEPS = 20
SEED = int(os.environ.get("LBAAS_CHAOS_SEED", "862662956"))


def test_whatever_strikes_nothing_is_lost_mixed_up_or_touched_that_is_not_ours(
    site: Site, balanced4: Balanced
) -> None:
    """One schedule, the same in each run, but for LBAAS_CHAOS_SEED; scripts/chaos makes new ones."""
    settle(site)
    carry_out(site, schedule(SEED, STEPS, ground(site)), balanced4.address, print)
    balanced4.wait_programmed()
