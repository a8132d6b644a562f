"""Settings, written."""

from collections.abc import Sequence
from pathlib import Path

from lbaas.dataplane.steps import Outcome, try_each
from lbaas.dataplane.sysctl.files import PROC_SYS, path_of
from lbaas.dataplane.sysctl.plan import SetSysctl


def apply(steps: Sequence[SetSysctl], root: Path = PROC_SYS) -> Outcome[SetSysctl]:
    """All were tried; one that failed stops no other."""

    def write(step: SetSysctl) -> None:
        path_of(step.name, root).write_text(step.value + "\n")

    return try_each("sysctl", steps, write, OSError)
