"""Whether this kernel can carry the data path: everything is tried, in a network namespace of its own.

The namespace exists for the time of the trial only, so the machine's own devices, tables and services are neither
seen nor touched. What a trial needs may load kernel modules, as the agent itself would.
"""

import ctypes
import json
import os
import select
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


class Attempts:
    """Trials under way in a process of their own, which ends by itself. Begun before there are threads."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._pipe, writing = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            _try_in_child(trials, writing)
        os.close(writing)

    @property
    def over(self) -> bool:
        """True if ``findings`` would not wait."""
        readable, _, _ = select.select([self._pipe], [], [], 0)
        return bool(readable)

    def findings(self) -> list[Finding]:
        """Every trial's finding, in order; a failed one stops no other. To be called once.

        Raises ToolMissing if we may not make a network namespace.
        """
        with os.fdopen(self._pipe, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(self._child, 0)
        if not answer:
            raise ToolMissing("trying the kernel takes root: CAP_SYS_ADMIN and CAP_NET_ADMIN")
        return [Finding(**each) for each in json.loads(answer)]


def try_all(trials: Sequence[Trial]) -> list[Finding]:
    """Every trial's finding. Raises ToolMissing if we may not make a network namespace."""
    return Attempts(trials).findings()


def _try_in_child(trials: Sequence[Trial], writing: int) -> None:
    """Writes the findings and ends the process; writes nothing if no namespace could be made."""
    try:
        if ctypes.CDLL(None).unshare(_CLONE_NEWNET) == 0:
            os.nice(19)  # an agent that starts has better to do
            findings = [asdict(_try(trial)) for trial in trials]
            os.write(writing, json.dumps(findings).encode())
    finally:
        os._exit(0)


def _try(trial: Trial) -> Finding:
    try:
        trial.attempt()
    except StepFailed as error:
        return Finding(trial.name, trial.without, error.cause)
    except (LbaasError, OSError) as error:
        return Finding(trial.name, trial.without, str(error) or type(error).__name__)
    return Finding(trial.name, trial.without)
