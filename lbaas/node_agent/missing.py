"""What this node's kernel lacks, for its report."""

import json
from collections.abc import Sequence
from pathlib import Path

from lbaas.agent.capabilities import Finding

UNTRIED = "what the kernel can was not tried: `lbaas node-agent --check` does, as root"


def missing(findings: Path | None) -> tuple[str, ...]:
    """One sentence for each feature that the file says is missing, with what that means; none without a file's name.

    ``--check`` leaves the file. The agent itself tries nothing: it has not the right, and a start in the midst of
    traffic is no time for it.
    """
    if findings is None:
        return ()
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
