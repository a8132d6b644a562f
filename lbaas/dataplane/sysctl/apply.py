"""Settings, written."""

from collections.abc import Sequence
from pathlib import Path

from lbaas.dataplane.steps import Outcome
from lbaas.dataplane.sysctl.files import PROC_SYS, path_of
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.errors import StepFailed


def apply(steps: Sequence[SetSysctl], root: Path = PROC_SYS) -> Outcome[SetSysctl]:
    """All were tried; one that failed stops no other."""
    applied: list[SetSysctl] = []
    failed: list[tuple[SetSysctl, StepFailed]] = []
    for step in steps:
        try:
            path_of(step.name, root).write_text(step.value + "\n")
        except OSError as error:
            cause = error.strerror or str(error)
            failed.append((step, StepFailed("sysctl", "SetSysctl", step.key, cause)))
        else:
            applied.append(step)
    return Outcome(tuple(applied), tuple(failed))
