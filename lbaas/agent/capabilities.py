"""Whether this kernel can carry the data path: everything is tried, in a network namespace of its own.

The namespace exists for the time of the trial only, so the machine's own devices, tables and services are neither
seen nor touched. What a trial needs may load kernel modules, as the agent itself would.
"""

import ctypes
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from lbaas.errors import LbaasError, StepFailed, ToolMissing

_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Trial:
    """One thing to try. *attempt* raises where the kernel can't; *without* says what that means."""

    name: str
    without: str
    attempt: Callable[[], object]


@dataclass(frozen=True)
class Finding:
    """What came of a trial: *cause* is empty if the kernel can."""

    name: str
    without: str
    cause: str = ""

    @property
    def good(self) -> bool:
        return not self.cause


def try_all(trials: Sequence[Trial]) -> list[Finding]:
    """Every trial's finding, in order; a failed one stops no other.

    Raises ToolMissing if we may not make a network namespace.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _try_in_child(trials, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        raise ToolMissing("trying the kernel takes root: CAP_SYS_ADMIN and CAP_NET_ADMIN")
    return [Finding(**each) for each in json.loads(answer)]


def _try_in_child(trials: Sequence[Trial], writing: int) -> None:
    """Writes the findings and ends the process; writes nothing if no namespace could be made."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET) == 0:
        findings = [asdict(_try(trial)) for trial in trials]
        os.write(writing, json.dumps(findings).encode())
    os._exit(0)


def _try(trial: Trial) -> Finding:
    try:
        trial.attempt()
    except StepFailed as error:
        return Finding(trial.name, trial.without, error.cause)
    except (LbaasError, OSError) as error:
        return Finding(trial.name, trial.without, str(error) or type(error).__name__)
    return Finding(trial.name, trial.without)
