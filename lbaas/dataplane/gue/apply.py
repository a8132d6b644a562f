"""Ports, opened and shut."""

import os
from collections.abc import Sequence

from lbaas.dataplane.gue.netlink import FouSocket
from lbaas.dataplane.gue.plan import GueStep
from lbaas.dataplane.steps import Outcome
from lbaas.errors import StepFailed


def apply(fou: FouSocket, steps: Sequence[GueStep]) -> Outcome[GueStep]:
    """All were tried; one that failed stops no other."""
    results = list(zip(steps, fou.send(steps), strict=True))
    return Outcome(
        tuple(step for step, code in results if not code),
        tuple(
            (step, StepFailed("gue", type(step).__name__, step.key, os.strerror(code)))
            for step, code in results
            if code
        ),
    )
