"""``--check``: what the kernel can, for a person."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from lbaas.agent.capabilities import Finding, Trial, try_all
from lbaas.dataplane.files import write_atomically


def check(trials: Sequence[Trial], keep: Path | None = None) -> None:
    """Prints a line for each trial. The process exits 0 if the kernel can do all, else 1.

    File *keep* then holds the findings, for an agent that may not try by itself.
    """
    findings = try_all(trials)
    if keep is not None:
        write_atomically(keep, json.dumps([asdict(each) for each in findings]).encode(), mode=0o644)
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
