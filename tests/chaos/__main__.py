"""Schedules of chaos, one after the other, each on a datacentre of its own: scripts/chaos.

A schedule that fails is made as short as can be, and told with its seed.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence

from lbaas.errors import LbaasError
from lbaas.lab.site import Site
from tests.chaos.moves import Step
from tests.chaos.run import Say, carry_out, ground
from tests.chaos.schedule import schedule
from tests.chaos.shrink import shrink
from tests.e2e.balanced import Balanced
from tests.e2e.conftest import datacentre


def main() -> None:
    """Exits with 1 at the first schedule that fails."""
    given = _arguments()
    until_s = time.monotonic() + 3600 * given.hours
    seed, done = given.seed, 0
    while True:
        print(f"seed {seed}", flush=True)
        _try(seed, given.length)
        seed, done = seed + 1, done + 1
        if time.monotonic() >= until_s:
            break
    print(f"{done} schedules of {given.length} steps: everything held")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--hours", type=float, default=0, help="how long; one schedule by default")
    parser.add_argument("--length", type=int, default=60, help="steps of a schedule")
    return parser.parse_args()


def _try(seed: int, length: int) -> None:
    with datacentre() as site:
        steps = schedule(seed, length, ground(site))
        wrong = _wrong(site, steps, _say)
    if wrong is None:
        return
    print(f"seed {seed}: {wrong!r}\nlooking for fewer steps that do it", flush=True)
    fewest = shrink(steps, _fails)
    print(f"seed {seed}, {len(fewest)} steps are enough:", *fewest, sep="\n  ")
    sys.exit(1)


def _wrong(site: Site, steps: Sequence[Step], say: Say) -> AssertionError | LbaasError | None:
    anchor = Balanced.create(site, 4)
    try:
        carry_out(site, steps, anchor.address, say)
    except (AssertionError, LbaasError) as error:
        return error
    return None


def _fails(steps: Sequence[Step]) -> bool:
    with datacentre() as site:
        return _wrong(site, steps, lambda _: None) is not None


def _say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    main()
