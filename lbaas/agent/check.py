"""``--check``: what the kernel can, for a person."""

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table

from lbaas.agent.capabilities import Finding, Trial, try_all


def check(trials: Sequence[Trial]) -> None:
    """Prints a line for each trial. The process exits 0 if the kernel can do all, else 1."""
    findings = try_all(trials)
    Console().print(render(findings))
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)


def render(findings: Sequence[Finding]) -> Table:
    """What is there, and where something is missing, why and what that means."""
    table = Table("", "kernel feature", "remark", box=None, pad_edge=False)
    for finding in findings:
        verdict = "ok" if finding.good else "missing"
        remark = "" if finding.good else f"{finding.cause}; without it {finding.without}"
        table.add_row(verdict, finding.name, remark)
    return table
