"""What this node's kernel lacks, for its report."""

import json
from collections.abc import Sequence
from pathlib import Path

import structlog

from lbaas.agent.capabilities import Attempts, Finding, Trial
from lbaas.errors import ToolMissing

log = structlog.get_logger()

UNTRIED = "what the kernel can was not tried: `lbaas node-agent --check` does, as root"


class Missing:
    """Trials begin as this is made, beside the agent's first round.

    An agent that may make no namespace goes by the file *findings*, which ``--check`` left.
    """

    def __init__(self, trials: Sequence[Trial], findings: Path | None) -> None:
        self._attempts: Attempts | None = Attempts(trials)
        self._findings = findings
        self._sentences: tuple[str, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """One for each feature that is missing, with what that means; none while trials are under way."""
        if self._attempts is not None and self._attempts.over:
            attempts, self._attempts = self._attempts, None
            self._sentences = self._judged(attempts)
            for sentence in self._sentences:
                log.warning("missing", feature=sentence)
        return self._sentences

    def _judged(self, attempts: Attempts) -> tuple[str, ...]:
        try:
            return described(attempts.findings())
        except ToolMissing:
            return (UNTRIED,) if self._findings is None else from_file(self._findings)


def from_file(findings: Path) -> tuple[str, ...]:
    """What the file says is missing."""
    try:
        return described([Finding(**each) for each in json.loads(findings.read_bytes())])
    except (OSError, ValueError, TypeError) as error:
        return (f"{UNTRIED}; {findings}: {error}",)


def described(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What of *findings* is not good, one sentence each."""
    return tuple(
        f"{each.name}: {each.cause}; without it {each.without}"
        for each in findings
        if not each.good
    )
